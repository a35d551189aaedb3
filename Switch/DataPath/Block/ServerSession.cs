using System.Diagnostics;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>
/// The talk with the server of a disk (docs/block-serving.md, section 4): its epoch, what it announced, and the clients that are
/// joined to it. Lives as long as the server's port. Belongs to the loop that has the server's rings.
/// </summary>
public sealed class ServerSession(BlockCounters counters, uint firstEpoch)
{
    private readonly Dictionary<ushort, BlockClient> _clients = [];
    private readonly List<RequestJoin> _joins = [];

    // Clients that are not joined, and have left requests with the server.
    private readonly Dictionary<ushort, BlockClient> _left = [];

    /// <summary>With a first epoch that a switch before us is not likely to have used last.</summary>
    public ServerSession(BlockCounters counters)
        : this(counters, (uint)Random.Shared.NextInt64(uint.MaxValue))
    {
    }

    /// <summary>The present epoch.</summary>
    public uint Epoch { get; private set; } = firstEpoch;

    /// <summary>Since when it is not ready, by <see cref="Stopwatch.GetTimestamp"/>; if it is ready, the last time that it was not.</summary>
    public long LostAt { get; private set; } = Stopwatch.GetTimestamp();

    /// <summary>Whether START is to be sent.</summary>
    public bool NeedsStart { get; private set; } = true;

    /// <summary>Whether requests may be sent: the server has announced its disk in this epoch.</summary>
    public bool IsReady { get; private set; }

    /// <summary>What was announced last, in whichever epoch; null: nothing yet.</summary>
    public BlockAnnouncement? Disk { get; private set; }

    /// <summary>Why the last announcement was refused; empty if it was not.</summary>
    public string Refusal { get; private set; } = "";

    /// <summary>What the server did.</summary>
    public BlockCounters Counters => counters;

    /// <summary>Told, in the loop, of a new announcement, or of one that was refused.</summary>
    public Action? Announced { get; set; }

    /// <summary>The join that hears the server; null: its rings do not run.</summary>
    internal ReplyJoin? Replies { get; set; }

    /// <summary>Whether several clients want the server's buffers.</summary>
    internal bool IsShared => _clients.Count > 1;

    /// <summary>The client of that id, if it is joined.</summary>
    internal BlockClient? Find(ushort id) => _clients.GetValueOrDefault(id);

    /// <summary>A ring of a client is joined.</summary>
    internal void Add(RequestJoin join)
    {
        _joins.Add(join);
        _clients[join.Queue.Client.Id] = join.Queue.Client;
        _left.Remove(join.Queue.Client.Id);
    }

    internal void Remove(RequestJoin join)
    {
        var client = join.Queue.Client;
        _joins.Remove(join);
        if (_joins.Exists(j => j.Queue.Client == client))
            return;
        _clients.Remove(client.Id);
        if (client.IsWithServer)
            _left[client.Id] = client;
    }

    /// <summary>Whether a reply is to a request that has ended without it. With the last of them its client may send again.</summary>
    internal bool TakeOrphan(BlockTag tag)
    {
        var client = Find(tag.Client) ?? _left.GetValueOrDefault(tag.Client);
        if (client is null || !client.TakeOrphan(tag))
            return false;
        if (client.HasOrphans)
            return true;
        _left.Remove(client.Id);
        Wake();
        return true;
    }

    /// <summary>Gives up the epoch: the server's rings have begun anew, or it does not answer. Nothing that it still does counts.</summary>
    public void Restart()
    {
        Epoch++;
        LostAt = IsReady ? Stopwatch.GetTimestamp() : LostAt;
        (NeedsStart, IsReady) = (true, false);
        foreach (var client in _clients.Values.Concat(_left.Values))
            client.EndEpoch();
        _left.Clear();
        Wake();
    }

    /// <summary>START has been sent.</summary>
    internal void Started() => NeedsStart = false;

    /// <summary>The server says what it serves.</summary>
    internal void Announce(BlockAnnouncement disk)
    {
        Refusal = ProblemOf(disk) ?? "";
        if (Refusal != "")
        {
            counters.Count(BlockFault.BadAnnouncement);
            Announced?.Invoke();
            return;
        }
        Disk = disk;
        bool first = !IsReady;
        IsReady = true;
        foreach (var client in _clients.Values)
            Tell(client, disk);
        if (first)
            Wake();
        Announced?.Invoke();
    }

    /// <summary>Gives the joins that wait for the server a turn.</summary>
    internal void Wake()
    {
        foreach (var join in _joins)
            join.Loop.Activate(join);
        if (Replies is { } replies)
            replies.Loop.Activate(replies);
    }

    /// <summary>A client learns what it can ask for, and what of its writes is lost. Not of a disk that is none for its guest.</summary>
    internal static void Tell(BlockClient client, BlockAnnouncement disk)
    {
        if (client is { IsInUse: true, Disk: { } before } && disk.ProblemAfter(before) != null)
            return;
        bool wasCached = client.Disk?.Flags.HasFlag(BlockAnnouncementFlags.Cached) ?? false;
        if (wasCached && (disk.Cache == 0 || client.Disk!.Cache != disk.Cache))
            client.CacheLost();
        client.Disk = disk;
        client.IsFailing = false;
    }

    private string? ProblemOf(BlockAnnouncement disk)
    {
        if (disk.Problem is { } problem)
            return problem;
        if (IsReady && disk.MaxData != Disk!.MaxData)
            return $"requests of {disk.MaxData} bytes in place of {Disk.MaxData}, within an epoch";
        foreach (var client in _clients.Values)
            if (client is { IsInUse: true, Disk: { } before } && disk.ProblemAfter(before) is { } change)
                return $"{change}, while a client uses it";
        return null;
    }
}
