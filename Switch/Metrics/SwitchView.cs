using System.Collections.Immutable;
using InterGuest.Switch.Control;
using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Block;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Metrics;

/// <summary>A port as it was when last something happened to it; its counters go on.</summary>
internal sealed record PortView(string Name, PortType Type, PortState State, PortCounters Counters, BlockCounters? Disk);

/// <summary>A direction of a link.</summary>
internal sealed record DirectionView(string Link, string From, string To, TrafficCounters Counters);

/// <summary>A link as it was when last something happened to it.</summary>
internal sealed record LinkView(string Name, LinkState State, IReadOnlyList<DirectionView> Directions);

/// <summary>
/// The ports and links that there are, to be read by any thread without a word to the control thread, whom it would keep from
/// its work: follows what happens.
/// </summary>
internal sealed class SwitchView
{
    private ImmutableSortedDictionary<string, PortView> _ports = ImmutableSortedDictionary.Create<string, PortView>(StringComparer.Ordinal);
    private ImmutableSortedDictionary<string, LinkView> _links = ImmutableSortedDictionary.Create<string, LinkView>(StringComparer.Ordinal);

    /// <summary>The ports, by name.</summary>
    public IEnumerable<PortView> Ports => Volatile.Read(ref _ports).Values;

    /// <summary>The links, by name.</summary>
    public IEnumerable<LinkView> Links => Volatile.Read(ref _links).Values;

    /// <summary>Takes in what happened. On the control thread.</summary>
    public void Follow(SwitchEvent happened)
    {
        bool gone = happened.Kind == EventKind.Deleted;
        if (happened.Port is { } port)
            Volatile.Write(ref _ports, gone ? _ports.Remove(port.Name) : _ports.SetItem(port.Name, new PortView(port.Name, port.Spec.Type, port.State, port.Counters, port.Model.BlockCounters)));
        if (happened.Link is { } link)
            Volatile.Write(ref _links, gone ? _links.Remove(link.Name) : _links.SetItem(link.Name, View(link)));
    }

    private static LinkView View(Link link) => new(
        link.Name, link.State, [.. link.Ports.Select(from => new DirectionView(link.Name, from.Name, link.Peer(from).Name, link.CountersFrom(from)))]);
}
