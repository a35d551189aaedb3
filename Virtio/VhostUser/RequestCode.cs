namespace InterGuest.Virtio.VhostUser;

/// <summary>Requests of a front-end (vhost-user specification, "Front-end message types").</summary>
public enum RequestCode : uint
{
    /// <summary>No request.</summary>
    None = 0,

    /// <summary>Which features the back-end offers. Reply: u64.</summary>
    GetFeatures = 1,

    /// <summary>Which features the guest accepted: u64.</summary>
    SetFeatures = 2,

    /// <summary>The session begins.</summary>
    SetOwner = 3,

    /// <summary>Obsolete: to be ignored, or rings to be stopped.</summary>
    ResetOwner = 4,

    /// <summary>All memory regions, at most 8, a descriptor each.</summary>
    SetMemoryTable = 5,

    /// <summary>Where to log writes, for live migration: size and offset, and a descriptor. Reply: u64.</summary>
    SetLogBase = 6,

    /// <summary>Eventfd to signal on log writes.</summary>
    SetLogFd = 7,

    /// <summary>A ring's size.</summary>
    SetVringNum = 8,

    /// <summary>A ring's areas.</summary>
    SetVringAddress = 9,

    /// <summary>The index a ring begins with.</summary>
    SetVringBase = 10,

    /// <summary>Stop a ring. Reply: the index it stopped at.</summary>
    GetVringBase = 11,

    /// <summary>A ring's kick; starts the ring.</summary>
    SetVringKick = 12,

    /// <summary>A ring's call.</summary>
    SetVringCall = 13,

    /// <summary>A ring's eventfd for errors.</summary>
    SetVringError = 14,

    /// <summary>Which protocol features the back-end offers. Reply: u64.</summary>
    GetProtocolFeatures = 15,

    /// <summary>Which protocol features the front-end uses: u64.</summary>
    SetProtocolFeatures = 16,

    /// <summary>How many queues there may be. Reply: u64.</summary>
    GetQueueNum = 17,

    /// <summary>Enable or disable a ring.</summary>
    SetVringEnable = 18,

    /// <summary>Announce a guest that has been migrated: its MAC address.</summary>
    SendRarp = 19,

    /// <summary>The MTU that the guest was told of: u64.</summary>
    NetSetMtu = 20,

    /// <summary>The socket on which the back-end may ask the front-end.</summary>
    SetBackendRequestFd = 21,

    /// <summary>The device's configuration space, from an offset on. Reply: the same, with its bytes; without any: an error.</summary>
    GetConfig = 24,

    /// <summary>Writes into the configuration space.</summary>
    SetConfig = 25,

    /// <summary>Make an inflight region. Reply: where it is, with its descriptor.</summary>
    GetInflightFd = 31,

    /// <summary>An inflight region that the front-end has kept, with its descriptor.</summary>
    SetInflightFd = 32,

    /// <summary>Back to the state before any ring was set up.</summary>
    ResetDevice = 34,

    /// <summary>How many memory regions there may be. Reply: u64.</summary>
    GetMaxMemorySlots = 36,

    /// <summary>One memory region more, with its descriptor.</summary>
    AddMemoryRegion = 37,

    /// <summary>One memory region fewer.</summary>
    RemoveMemoryRegion = 38,

    /// <summary>The device status the guest wrote: u64.</summary>
    SetStatus = 39,

    /// <summary>The device status. Reply: u64.</summary>
    GetStatus = 40,
}

/// <summary>Protocol feature bits, as masks (vhost-user specification, "Protocol features").</summary>
public static class ProtocolFeatures
{
    /// <summary>Several queues, and <see cref="RequestCode.GetQueueNum"/>.</summary>
    public const ulong Multiqueue = 1UL << 0;

    /// <summary>The log of dirty pages is in shared memory: <see cref="RequestCode.SetLogBase"/> has a descriptor, and a reply.</summary>
    public const ulong LogSharedMemory = 1UL << 1;

    /// <summary><see cref="RequestCode.SendRarp"/>.</summary>
    public const ulong Rarp = 1UL << 2;

    /// <summary>A request may ask for a reply that says whether it was done.</summary>
    public const ulong ReplyAck = 1UL << 3;

    /// <summary><see cref="RequestCode.NetSetMtu"/>.</summary>
    public const ulong NetMtu = 1UL << 4;

    /// <summary>The back-end may send requests on a socket of its own.</summary>
    public const ulong BackendRequests = 1UL << 5;

    /// <summary><see cref="RequestCode.GetConfig"/>, and the back-end tells of changes.</summary>
    public const ulong Config = 1UL << 9;

    /// <summary><see cref="RequestCode.GetInflightFd"/>: chains that are on their way are noted in memory that the front-end keeps.</summary>
    public const ulong InflightSharedMemory = 1UL << 12;

    /// <summary><see cref="RequestCode.ResetDevice"/>.</summary>
    public const ulong ResetDevice = 1UL << 13;

    /// <summary>Memory regions are added and removed one by one.</summary>
    public const ulong ConfigureMemorySlots = 1UL << 15;

    /// <summary>The device status is told.</summary>
    public const ulong Status = 1UL << 16;
}

/// <summary>Requests of a back-end (vhost-user specification, "Back-end message types").</summary>
public static class BackEndRequests
{
    /// <summary>The device's configuration is another one.</summary>
    public const RequestCode ConfigChange = (RequestCode)2;
}
