using System.Text.Json.Serialization;
using InterGuest.Switch.Ports;

namespace InterGuest.Switch.Control;

/// <summary>What survives a restart of the switch.</summary>
internal sealed record StoredState(int Version, IReadOnlyList<StoredPort> Ports, IReadOnlyList<StoredLink> Links)
{
    public const int CurrentVersion = 1;
}

/// <param name="Name">The port's name.</param>
/// <param name="Mode">Who opens its socket.</param>
/// <param name="SocketPath">Where.</param>
/// <param name="QueuePairs">Pairs of virtqueues.</param>
/// <param name="Offered">Features offered, as a hexadecimal mask: a guest that runs through our restart insists on them.</param>
/// <param name="Type">Of the device.</param>
/// <param name="Disk">Of a block port: the disk that its guest sees, as its announcement in hexadecimal digits.</param>
internal sealed record StoredPort(
    string Name, SocketMode Mode, string SocketPath, int QueuePairs, string Offered, PortType Type = PortType.Net, string? Disk = null)
{
    /// <summary>Where its VMM takes QMP commands; empty or null: nowhere.</summary>
    public string? QmpSocket { get; init; }

    /// <summary>How much its guest may move; null: as much as it likes.</summary>
    public PortLimits? Limits { get; init; }

    /// <summary>Whether its guest's carrier follows the other end; null: no.</summary>
    public bool? FollowsPeer { get; init; }

    /// <summary>Who may open the socket; null: the usual.</summary>
    public SocketAccess? Access { get; init; }
}

internal sealed record StoredLink(
    string Name, IReadOnlyList<string> Ports, bool AdminUp, double HoldMilliseconds, double? FailAfterMilliseconds = null,
    LinkPolicy Policy = LinkPolicy.Auto);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StoredState))]
internal sealed partial class StoredStateContext : JsonSerializerContext;
