using Google.Protobuf;
using InterGuest.Protos.V1;
using InterGuest.Switch.Ports;
using InterGuest.TopologyFiles;

namespace InterGuest.Switch.Control;

/// <summary>What must be changed for ports and links to be as a topology says: a pure function of the two.</summary>
internal sealed class TopologyPlan
{
    /// <summary>What can be changed of a link, or of a port, as it runs; everything else makes it anew.</summary>
    private static readonly string[] LiveLinkFields = ["down"], LivePortFields = ["qmp_socket", "rate", "burst", "in_flight", "carrier"];

    private readonly SwitchOptions _options;
    private readonly bool _prune;
    private readonly Dictionary<string, CreatePortRequest> _ports;
    private readonly Dictionary<string, CreateLinkRequest> _links;
    private readonly Dictionary<string, CreatePortRequest> _portsNow;
    private readonly Dictionary<string, CreateLinkRequest> _linksNow;

    private TopologyPlan(Switchboard board, SwitchOptions options, Topology wanted, bool prune)
    {
        (_options, _prune) = (options, prune);
        _portsNow = board.Ports.Select(Declaration.Of).ToDictionary(p => p.Name);
        _linksNow = board.Links.Select(Declaration.Of).ToDictionary(l => l.Name);
        _ports = ByName(wanted.Ports.Select(p => Declaration.Complete(p, options)), p => p.Name, "port");
        _links = ByName(wanted.Links.Select(l => AsNow(Declaration.Complete(l))), l => l.Name, "link");
    }

    /// <summary>What is to be done, in order: removals, then what is made or changed, ports before links.</summary>
    public IReadOnlyList<Change> Changes { get; private set; } = [];

    /// <summary>What the topology does not have, and stays.</summary>
    public IReadOnlyList<string> Left { get; private set; } = [];

    /// <summary>Compares.</summary>
    /// <exception cref="SwitchException">The topology cannot be: <see cref="SwitchException.Subject"/> says which part of it.</exception>
    public static TopologyPlan Make(Switchboard board, SwitchOptions options, Topology wanted, bool prune)
    {
        var plan = new TopologyPlan(board, options, wanted, prune);
        plan.CheckPorts();
        plan.CheckLinks();
        plan.Compare();
        return plan;
    }

    /// <summary>A port that is to be, with everything said.</summary>
    public CreatePortRequest Port(string name) => _ports[name];

    /// <summary>A link that is to be, or that is there and must be made again.</summary>
    public CreateLinkRequest Link(string name) => _links.TryGetValue(name, out var link) ? link : _linksNow[name];

    private static Dictionary<string, T> ByName<T>(IEnumerable<T> things, Func<T, string> name, string what)
    {
        var byName = new Dictionary<string, T>();
        foreach (var thing in things)
            if (!byName.TryAdd(name(thing), thing))
                throw Invalid(what, name(thing), "name", "is there twice");
        return byName;
    }

    /// <summary>Which port is named first makes no difference to a link that is there.</summary>
    private CreateLinkRequest AsNow(CreateLinkRequest link)
    {
        if (_linksNow.TryGetValue(link.Name, out var now) && link.Ports.Count == 2 && link.Ports.Reverse().SequenceEqual(now.Ports))
            (link.Ports[0], link.Ports[1]) = (now.Ports[0], now.Ports[1]);
        return link;
    }

    private void CheckPorts()
    {
        foreach (var port in _ports.Values)
            Check($"ports/{port.Name}", $"port {port.Name}", () => Rules.Check(port.Name, Declaration.ToSpec(port)));
        var paths = new Dictionary<string, string>();
        foreach (var port in _portsNow.Values.Where(p => !_prune && !_ports.ContainsKey(p.Name)).Concat(_ports.Values))
            if (!paths.TryAdd(port.SocketPath, port.Name))
                throw Invalid("port", port.Name, "socket_path", $"{port.SocketPath} is the socket of port {paths[port.SocketPath]}, too");
    }

    private void CheckLinks()
    {
        foreach (var link in _links.Values)
            Check($"links/{link.Name}", $"link {link.Name}", () => Rules.Check(link.Name, link.Ports, Declaration.TimeOf(link.Hold, "hold")));
        var users = new Dictionary<string, CreateLinkRequest>();
        foreach (var link in _linksNow.Values.Where(l => !_prune && !_links.ContainsKey(l.Name)).Concat(_links.Values))
            foreach (string port in link.Ports)
            {
                if (!_ports.ContainsKey(port) && (_prune || !_portsNow.ContainsKey(port)))
                    throw Invalid("link", link.Name, "ports", $"there is no port {port}{(_portsNow.ContainsKey(port) ? " in the topology, and so it is to be removed" : "")}");
                if (!TypeOf(port).TakesManyLinks() && !users.TryAdd(port, link))
                    throw Invalid("link", link.Name, "ports", $"port {port} is in link {users[port].Name}, too{(_links.ContainsKey(users[port].Name) ? "" : ", which the topology does not have and which stays")}");
            }
        foreach (var link in _links.Values)
            Check($"links/{link.Name}", $"link {link.Name}", () => Rules.CheckTypes((link.Ports[0], TypeOf(link.Ports[0])), (link.Ports[1], TypeOf(link.Ports[1]))));
    }

    private PortType TypeOf(string port) => (_ports.TryGetValue(port, out var wanted) ? wanted : _portsNow[port]).Type.ToPortType();

    private void Compare()
    {
        List<Change> ports = [.. _ports.Values.Select(PortChange).OfType<Change>()];
        var again = ports.Where(c => c.Kind == ChangeKind.Replace).Select(c => c.Name).ToHashSet();
        List<Change> links = [.. _linksNow.Values.Where(l => !_links.ContainsKey(l.Name)).Concat(_links.Values).Select(l => LinkChange(l, again)).OfType<Change>()];
        string[] otherLinks = [.. _linksNow.Keys.Where(n => !_links.ContainsKey(n))], otherPorts = [.. _portsNow.Keys.Where(n => !_ports.ContainsKey(n))];
        if (_prune)
            Changes = [.. otherLinks.Select(n => Removal(SubjectKind.Link, n)), .. otherPorts.Select(n => Removal(SubjectKind.Port, n)), .. ports, .. links];
        else
            (Changes, Left) = ([.. ports, .. links], [.. otherPorts.Select(n => $"port {n}"), .. otherLinks.Select(n => $"link {n}")]);
    }

    private Change? PortChange(CreatePortRequest port)
    {
        if (!_portsNow.TryGetValue(port.Name, out var now))
            return Difference(ChangeKind.Create, SubjectKind.Port, port.Name, new CreatePortRequest(), Declaration.Shorten(port, _options));
        if (port.Equals(now))
            return null;
        bool live = MessageFields.Different(now, port).All(f => LivePortFields.Contains(f.Name));
        return Difference(live ? ChangeKind.Update : ChangeKind.Replace, SubjectKind.Port, port.Name, now, port);
    }

    private Change? LinkChange(CreateLinkRequest link, HashSet<string> portsMadeAgain)
    {
        if (!_linksNow.TryGetValue(link.Name, out var now))
            return Difference(ChangeKind.Create, SubjectKind.Link, link.Name, new CreateLinkRequest(), Declaration.Shorten(link));
        bool kept = _links.ContainsKey(link.Name) || !_prune;
        string? port = kept ? now.Ports.FirstOrDefault(portsMadeAgain.Contains) : null;
        if (port == null && link.Equals(now))
            return null;
        bool live = port == null && MessageFields.Different(now, link).All(f => LiveLinkFields.Contains(f.Name));
        var change = Difference(live ? ChangeKind.Update : ChangeKind.Replace, SubjectKind.Link, link.Name, now, link);
        if (port != null)
            change.Reason = $"port {port} is made again";
        return change;
    }

    private static Change Removal(SubjectKind subject, string name) => new() { Kind = ChangeKind.Remove, Subject = subject, Name = name };

    private static Change Difference(ChangeKind kind, SubjectKind subject, string name, IMessage before, IMessage after)
    {
        var change = new Change { Kind = kind, Subject = subject, Name = name };
        foreach (var field in MessageFields.Different(before, after))
            change.Fields.Add(new FieldChange
            {
                Field = field.Name,
                Before = kind == ChangeKind.Create ? "" : FieldText.Format(field, field.Accessor.GetValue(before)),
                After = FieldText.Format(field, field.Accessor.GetValue(after)),
            });
        return change;
    }

    /// <summary>Names the part of the topology in an error of a port or link.</summary>
    private static void Check(string subject, string what, Action check)
    {
        try
        {
            check();
        }
        catch (SwitchException e)
        {
            throw new SwitchException(e.Kind, $"{what}: {e.Message}", $"{subject}/{e.Message.Split(':')[0]}");
        }
    }

    private static SwitchException Invalid(string what, string name, string field, string problem) =>
        new(SwitchError.Invalid, $"{what} {name}: {field}: {problem}", $"{what}s/{name}/{field}");
}
