using System.Globalization;
using System.Text.Json;
using InterGuest.Switch.Ports;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.Control;

/// <summary>
/// Keeps ports and links in a file, so that they are there again after a restart: written anew, flushed to the disk, and
/// put in place of the old one, whenever something changes. The one before is kept, for the day when the file is damaged.
/// </summary>
public sealed class StateStore(string directory)
{
    // What could not be made at the start. It stays in the file: the reason may be gone at the next one.
    private readonly List<StoredPort> _portsKept = [];
    private readonly List<StoredLink> _linksKept = [];
    private string _written = "";

    /// <summary>The file.</summary>
    public string FilePath { get; } = Path.Combine(directory, "state.json");

    private const string PreviousSuffix = ".previous";

    private string PreviousPath => FilePath + PreviousSuffix;

    /// <summary>Makes what was stored. On the control thread.</summary>
    /// <param name="board">A switch without ports.</param>
    /// <param name="problem">Told of each thing that cannot be made again; the others are.</param>
    /// <exception cref="SwitchException">The file cannot be read, or is damaged: it is left as it is.</exception>
    public void Restore(Switchboard board, Action<string> problem)
    {
        if (Read() is not { } state)
            return;
        foreach (var port in state.Ports)
            Make(() => board.CreatePort(port.Name, Spec(port), Offer(port), Disk(port), port.QmpSocket ?? ""), () => _portsKept.Add(port), problem);
        foreach (var link in state.Links)
            Make(() => board.CreateLink(link.Name, link.Ports, Hold(link), link.AdminUp, FailAfter(link), link.Policy), () => _linksKept.Add(link), problem);
    }

    /// <summary>Stores what there is, if it is not what was stored last. On the control thread.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public void Save(Switchboard board)
    {
        var ports = board.Ports.Select(p => new StoredPort(p.Name, p.Spec.Mode, p.Spec.SocketPath, p.Spec.QueuePairs, p.Offered.ToString("x"), p.Spec.Type, Text(p))
        {
            QmpSocket = p.QmpSocket,
            Access = p.Spec.Access == SocketAccess.Default ? null : p.Spec.Access,
            Limits = p.Spec.Limits == PortLimits.None ? null : p.Spec.Limits,
            FollowsPeer = p.Spec.FollowsPeer ? true : null,
        });
        var links = board.Links.Select(l => new StoredLink(l.Name, [.. l.Ports.Select(p => p.Name)], l.AdminUp, l.Hold.TotalMilliseconds, l.FailAfter?.TotalMilliseconds, l.Negotiation.Policy));
        var state = new StoredState(
            StoredState.CurrentVersion,
            [.. ports.Concat(_portsKept).DistinctBy(p => p.Name)],
            [.. links.Concat(_linksKept).DistinctBy(l => l.Name)]);
        string text = JsonSerializer.Serialize(state, StoredStateContext.Default.StoredState);
        if (text == _written)
            return;
        Write(text);
        _written = text;
    }

    private void Write(string text)
    {
        Directory.CreateDirectory(directory);
        DurableFile.Replace(FilePath, text + "\n", PreviousPath);
    }

    private StoredState? Read()
    {
        try
        {
            var state = Parse(FilePath, out string text);
            _written = text.TrimEnd();
            return state;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SwitchException(SwitchError.Precondition, $"{FilePath} cannot be read: {e.Message} Give the switch the right to, or another directory with --state-dir");
        }
    }

    private static StoredState Parse(string path, out string text)
    {
        text = File.ReadAllText(path);
        try
        {
            return Check(path, JsonSerializer.Deserialize(text, StoredStateContext.Default.StoredState));
        }
        catch (JsonException e)
        {
            throw Damaged(path, $" at line {e.LineNumber + 1}: {e.Message}");
        }
    }

    private static StoredState Check(string path, StoredState? state)
    {
        if (state is not null && state.Version != StoredState.CurrentVersion)
            throw new SwitchException(SwitchError.Precondition, $"{path} is of version {state.Version}, and this switch reads version {StoredState.CurrentVersion}. Move it away to begin without ports");
        if (state is not { Ports: not null, Links: not null })
            throw Damaged(path, ": it has no ports or no links.");
        foreach (var port in state.Ports)
            if (port is not { Name: not null, SocketPath: not null, Offered: not null, Access: null or { Owner: not null, Group: not null, Permissions: not null } } || !ulong.TryParse(port.Offered, NumberStyles.HexNumber, null, out _) || !IsWhole(port))
                throw Damaged(path, $": port '{port?.Name}' is not whole.");
        foreach (var link in state.Links)
            if (link is not { Name: not null, Ports: not null } || link.Ports.Contains(null!) || link.FailAfterMilliseconds is <= 0 or > 86_400_000 or double.NaN || !(link.HoldMilliseconds >= 0 && link.HoldMilliseconds <= Link.MaxHold.TotalMilliseconds))
                throw Damaged(path, $": link '{link?.Name}' is not whole.");
        return state;
    }

    private static SwitchException Damaged(string path, string where) =>
        new(SwitchError.Precondition, $"{path} is damaged{where} Mend it, or move it away to begin without ports{PreviousIsWhole(path)}");

    /// <summary>Offers what was stored before the last change, if that can be read.</summary>
    private static string PreviousIsWhole(string path)
    {
        string previous = path + PreviousSuffix;
        if (path.EndsWith(PreviousSuffix, StringComparison.Ordinal) || !File.Exists(previous))
            return "";
        try
        {
            var state = Parse(previous, out _);
            return $". The state before the last change is whole ({state.Ports.Count} ports, {state.Links.Count} links): mv {previous} {path}";
        }
        catch (Exception e) when (e is SwitchException or IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static PortSpec Spec(StoredPort port) => new(port.Mode, port.SocketPath, port.QueuePairs, port.Type)
    {
        Access = port.Access ?? SocketAccess.Default,
        Limits = port.Limits ?? PortLimits.None,
        FollowsPeer = port.FollowsPeer ?? false,
    };

    /// <summary>The disk of a block port, as the message that announced it.</summary>
    private static string? Text(Port port)
    {
        if (port.Model is not BlockModel { Disk: { } disk })
            return null;
        byte[] bytes = new byte[BlockAnnouncement.Bytes];
        disk.Write(bytes, epoch: 0);
        return Convert.ToHexString(bytes);
    }

    private static BlockAnnouncement? Disk(StoredPort port)
    {
        if (port.Disk == null)
            return null;
        byte[] bytes = Convert.FromHexString(port.Disk);
        return bytes.Length >= BlockMessage.Bytes && BlockAnnouncement.TryParse(BlockMessage.Parse(bytes), bytes) is { Problem: null } disk
            ? disk
            : throw new FormatException();
    }

    private static bool IsWhole(StoredPort port)
    {
        try
        {
            Disk(port);
            return true;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static ulong Offer(StoredPort port) => ulong.Parse(port.Offered, NumberStyles.HexNumber);

    private static TimeSpan? FailAfter(StoredLink link) => link.FailAfterMilliseconds is { } time ? TimeSpan.FromMilliseconds(time) : null;

    private static TimeSpan Hold(StoredLink link) => TimeSpan.FromMilliseconds(link.HoldMilliseconds);

    private static void Make(Action make, Action keep, Action<string> problem)
    {
        try
        {
            make();
        }
        catch (SwitchException e)
        {
            keep();
            problem(e.Message);
        }
    }
}
