using System.Globalization;
using System.Text.Json;

namespace InterGuest.Switch.Control;

/// <summary>
/// Keeps ports and links in a file, so that they are there again after a restart: written anew, flushed to the disk, and
/// put in place of the old one, whenever something changes.
/// </summary>
public sealed class StateStore(string directory)
{
    private string _written = "";

    /// <summary>The file.</summary>
    public string FilePath { get; } = Path.Combine(directory, "state.json");

    /// <summary>Makes what was stored. On the control thread.</summary>
    /// <param name="board">A switch without ports.</param>
    /// <param name="problem">Told of each thing that cannot be made again; the others are.</param>
    /// <exception cref="SwitchException">The file cannot be read, or is damaged: it is left as it is.</exception>
    public void Restore(Switchboard board, Action<string> problem)
    {
        if (Read() is not { } state)
            return;
        foreach (var port in state.Ports)
            Try(() => board.CreatePort(port.Name, port.Mode, port.SocketPath, port.QueuePairs, ulong.Parse(port.Offered, NumberStyles.HexNumber)), problem);
        foreach (var link in state.Links)
            Try(() => board.CreateLink(link.Name, link.Ports, TimeSpan.FromMilliseconds(link.HoldMilliseconds), link.AdminUp), problem);
    }

    /// <summary>Stores what there is, if it is not what was stored last. On the control thread.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public void Save(Switchboard board)
    {
        var state = new StoredState(
            StoredState.CurrentVersion,
            [.. board.Ports.Select(p => new StoredPort(p.Name, p.Spec.Mode, p.Spec.SocketPath, p.Spec.QueuePairs, p.Offered.ToString("x")))],
            [.. board.Links.Select(l => new StoredLink(l.Name, [.. l.Ports.Select(p => p.Name)], l.AdminUp, l.Hold.TotalMilliseconds))]);
        string text = JsonSerializer.Serialize(state, StoredStateContext.Default.StoredState);
        if (text == _written)
            return;
        Directory.CreateDirectory(directory);
        string temporary = FilePath + ".new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            using var writer = new StreamWriter(file, leaveOpen: true);
            writer.Write(text);
            writer.Flush();
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, FilePath, overwrite: true);
        _written = text;
    }

    private StoredState? Read()
    {
        try
        {
            var state = JsonSerializer.Deserialize(File.ReadAllText(FilePath), StoredStateContext.Default.StoredState);
            return state is { Version: StoredState.CurrentVersion, Ports: not null, Links: not null } ? state
                : throw new SwitchException(SwitchError.Precondition, $"{FilePath} is of version {state?.Version}, and this switch reads version {StoredState.CurrentVersion}. Move it away to begin without ports");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (JsonException e)
        {
            throw new SwitchException(SwitchError.Precondition, $"{FilePath} is damaged at line {e.LineNumber + 1}: {e.Message} Mend it, or move it away to begin without ports");
        }
    }

    private static void Try(Action make, Action<string> problem)
    {
        try
        {
            make();
        }
        catch (SwitchException e)
        {
            problem(e.Message);
        }
    }
}
