using Google.Protobuf.WellKnownTypes;
using InterGuest.Protos.V1;
using InterGuest.Switch.Ports;
using InterGuest.TopologyFiles;
using SocketMode = InterGuest.Protos.V1.SocketMode;

namespace InterGuest.Switch.Control;

/// <summary>
/// Ports and links as what their owners asked for: requests made of them, and they of requests. What is here for a field of
/// CreatePortRequest or CreateLinkRequest is all that a topology needs to know of it. On the control thread.
/// </summary>
internal static class Declaration
{
    /// <summary>What a request for a port asks for. The path may still be empty.</summary>
    /// <exception cref="SwitchException">A value is none that this switch knows.</exception>
    public static PortSpec ToSpec(CreatePortRequest request)
    {
        var mode = request.Mode switch
        {
            SocketMode.Unspecified or SocketMode.Listen => Ports.SocketMode.Listen,
            SocketMode.Connect => Ports.SocketMode.Connect,
            _ => throw new SwitchException(SwitchError.Invalid, $"mode: {(int)request.Mode} is not a mode this switch knows; it knows listen and connect"),
        };
        int pairs = request.QueuePairs == 0 ? 1 : (int)Math.Min(request.QueuePairs, int.MaxValue);
        string permissions = request.SocketMode == "" ? SocketAccess.Default.Permissions : request.SocketMode;
        return new PortSpec(mode, request.SocketPath, pairs, request.Type.ToPortType())
        {
            Access = new SocketAccess(request.SocketOwner, request.SocketGroup, permissions),
            Limits = new PortLimits(request.Rate, request.Burst, request.InFlight),
            FollowsPeer = request.Carrier == Carrier.Follow,
        };
    }

    /// <summary>The time that a request asks for; null: the usual one.</summary>
    /// <exception cref="SwitchException">It is no duration.</exception>
    public static TimeSpan? TimeOf(Duration? time, string field)
    {
        try
        {
            return time?.ToTimeSpan();
        }
        catch (Exception e) when (e is InvalidOperationException or OverflowException)
        {
            throw new SwitchException(SwitchError.Invalid, $"{field}: {time!.Seconds} s and {time.Nanos} ns are not a duration");
        }
    }

    /// <summary>A port as a request that says everything.</summary>
    public static CreatePortRequest Of(Ports.Port port) => new()
    {
        Name = port.Name,
        Type = port.Spec.Type.ToProto(),
        Mode = port.Spec.Mode == Ports.SocketMode.Listen ? SocketMode.Listen : SocketMode.Connect,
        SocketPath = port.Spec.SocketPath,
        QueuePairs = (uint)port.Spec.QueuePairs,
        SocketOwner = port.Spec.Access.Owner,
        SocketGroup = port.Spec.Access.Group,
        SocketMode = port.Spec.Access.Permissions,
        QmpSocket = port.QmpSocket,
        Rate = port.Spec.Limits.Rate,
        Burst = port.Spec.Limits.Burst,
        InFlight = port.Spec.Limits.InFlight,
        Carrier = port.Spec.FollowsPeer ? Carrier.Follow : Carrier.Keep,
    };

    /// <summary>A link as a request that says everything.</summary>
    public static CreateLinkRequest Of(Link link) => new()
    {
        Name = link.Name,
        Ports = { link.Ports.Select(p => p.Name) },
        Hold = link.Hold.ToDuration(),
        Down = !link.AdminUp,
        FailAfter = link.FailAfter?.ToDuration(),
        Policy = link.Negotiation.Policy.ToProto(),
    };

    /// <summary>A request with everything said that it leaves to us.</summary>
    public static CreatePortRequest Complete(CreatePortRequest request, SwitchOptions options)
    {
        var complete = request.Clone();
        if (complete.Type == DeviceType.Unspecified)
            complete.Type = DeviceType.Net;
        if (complete.Mode == SocketMode.Unspecified)
            complete.Mode = SocketMode.Listen;
        if (complete.SocketPath == "")
            complete.SocketPath = Path.Combine(options.SocketDirectory, request.Name + ".sock");
        if (complete.QueuePairs == 0)
            complete.QueuePairs = 1;
        if (complete.Carrier == Carrier.Unspecified)
            complete.Carrier = Carrier.Keep;
        if (complete.SocketMode == "")
            complete.SocketMode = SocketAccess.Default.Permissions;
        return complete;
    }

    /// <inheritdoc cref="Complete(CreatePortRequest, SwitchOptions)"/>
    public static CreateLinkRequest Complete(CreateLinkRequest request)
    {
        var complete = request.Clone();
        complete.Hold ??= Link.DefaultHold.ToDuration();
        if (complete.Policy == Protos.V1.LinkPolicy.Unspecified)
            complete.Policy = Protos.V1.LinkPolicy.Auto;
        return complete;
    }

    /// <summary>A request without what it may leave to us.</summary>
    public static CreatePortRequest Shorten(CreatePortRequest request, SwitchOptions options) =>
        MessageFields.Without(request, Complete(new CreatePortRequest { Name = request.Name }, options));

    /// <inheritdoc cref="Shorten(CreatePortRequest, SwitchOptions)"/>
    public static CreateLinkRequest Shorten(CreateLinkRequest request) =>
        MessageFields.Without(request, Complete(new CreateLinkRequest { Name = request.Name }));

    /// <summary>All there is, as short as it can be said.</summary>
    public static Topology Export(Switchboard board, SwitchOptions options) => new()
    {
        Ports = { board.Ports.Select(p => Shorten(Of(p), options)) },
        Links = { board.Links.Select(l => Shorten(Of(l))) },
    };
}
