using InterGuest.Switch.Ports;
using InterGuest.Switch.Ports.Models;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Control;

/// <summary>Brings disks to the guests of links, and fails requests that wait for too long. All members are for the control thread.</summary>
/// <param name="reactor">The control thread.</param>
/// <param name="wiring">Knows the loops of ports.</param>
/// <param name="links">All links.</param>
/// <param name="tell">Told of what a guest sees.</param>
/// <param name="changed">Told when what is to be stored is not as it was.</param>
internal sealed class DiskRunner(Reactor reactor, Wiring wiring, Func<IEnumerable<Link>> links, Action<Port, string> tell, Action changed) : IDisposable
{
    /// <summary>How often is looked for requests that have waited too long.</summary>
    private static readonly TimeSpan ExpiryEvery = TimeSpan.FromMilliseconds(250);

    private IDisposable? _expiring;
    private bool _ended;

    /// <summary>A guest that uses a disk must not find another one in its place.</summary>
    /// <exception cref="SwitchException">It would.</exception>
    public static void Check(Link link)
    {
        if (link.Disk is var (client, server) && client.Model is BlockModel { Client.IsInUse: true, Disk: { } before }
            && server.Model is BlockServerModel { Session: { IsReady: true, Disk: { } disk } } && disk.ProblemAfter(before) is { } problem)
            throw new SwitchException(
                SwitchError.Precondition, $"ports: {server.Name} serves {problem}, while {client.Name}'s guest uses it. End that guest first, or serve the disk that it knows");
    }

    /// <summary>Has the guest of a link see the disk that is served, unless it uses another one.</summary>
    public void Show(Link link)
    {
        if (link.Disk is not var (client, server) || server.Model is not BlockServerModel { Session: { IsReady: true, Disk: { } disk } }
            || client.Model is not BlockModel model || disk == model.Disk
            || (model.Client.IsInUse && model.Disk is { } before && disk.ProblemAfter(before) != null))
            return;
        bool isResized = model.Disk is { } known && known.Capacity != disk.Capacity;
        model.Disk = disk;
        client.OnDeviceChanged(isResized);
        if (isResized)
            tell(client, $"its disk has {disk.Capacity * BlockRequest.SectorBytes} bytes now");
        changed();
    }

    /// <summary>
    /// A disk's link goes, and with it who would hear the answers to requests that the server has: the next link asks for them
    /// again, in a new epoch, before which the server ends all that it still does.
    /// </summary>
    public void Leave(Link link)
    {
        if (link.Disk is ({ Model: BlockModel { Client.IsWithServer: true } } client, _))
            Abandon(client);
    }

    /// <inheritdoc cref="IPortHost.Abandon"/>
    public void Abandon(Port client)
    {
        foreach (var link in wiring.LinksOf(client))
            if (link.Peer(client).Model is BlockServerModel server)
                wiring.InLoop(client, server.Session.Restart);
    }

    /// <summary>Fails requests that have waited for longer than their link lets them. Comes again and again while there are such links.</summary>
    private void Expire()
    {
        _expiring = null;
        if (_ended)
            return;
        foreach (var link in links())
            if (link is { FailAfter: { } after, Disk: var (client, _) } && client.Model is BlockModel model)
                wiring.InLoop(client, () =>
                {
                    foreach (var queue in model.Client.Queues)
                        queue.Join?.Expire(after);
                });
        Watch();
    }

    /// <summary>Begins, if there are such links.</summary>
    public void Watch()
    {
        if (_expiring == null && links().Any(l => l.FailAfter != null))
            _expiring = reactor.After(ExpiryEvery, Expire);
    }

    public void Dispose() => _ended = true;
}
