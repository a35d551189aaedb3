using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.VhostUser;

/// <summary>
/// A device as a front-end sees it: a method for each message. Numbers are checked for their form only; a ring index can be
/// any number. Descriptors are the method's own to keep or to close.
/// </summary>
public interface IBackEnd
{
    /// <summary>The virtio features on offer, with bit 30.</summary>
    ulong GetFeatures();

    /// <summary>The features that the guest accepted.</summary>
    Verdict SetFeatures(ulong features);

    /// <summary>The protocol features on offer.</summary>
    ulong GetProtocolFeatures();

    /// <summary>The protocol features that the front-end uses.</summary>
    Verdict SetProtocolFeatures(ulong features);

    /// <summary>How many queues there may be.</summary>
    ulong GetQueueNum();

    /// <summary>All the guest's memory anew.</summary>
    /// <param name="memory">The new memory, held once for the method to keep or release.</param>
    Verdict SetMemory(GuestMemory memory);

    /// <summary>The guest's memory as it is, not held for the caller.</summary>
    GuestMemory Memory { get; }

    /// <summary>A ring's size in entries.</summary>
    Verdict SetVringNum(uint ring, uint size);

    /// <summary>A ring's areas, by the front-end's addresses.</summary>
    /// <param name="ring">Which.</param>
    /// <param name="layout">Its areas, aligned as the specification wants it.</param>
    /// <param name="logAddress">Guest address of the used ring, if writes to it are to be logged (VHOST_VRING_F_LOG); else null.</param>
    Verdict SetVringAddress(uint ring, RingLayout layout, ulong? logAddress);

    /// <summary>The index that a ring is to begin with.</summary>
    Verdict SetVringBase(uint ring, uint index);

    /// <summary>Lets a ring come to rest before it is stopped: what is on its way is ended.</summary>
    /// <returns>Whether it has; if not, whoever serves the connection processes it again when it has.</returns>
    bool IsQuiet(uint ring);

    /// <summary>Stops a ring: no write to it and no call after the return.</summary>
    /// <param name="ring">Which.</param>
    /// <param name="index">Where it stopped.</param>
    Verdict StopVring(uint ring, out uint index);

    /// <summary>A ring's kick, null if the ring is to be polled; starts the ring.</summary>
    Verdict SetVringKick(uint ring, EventFd? kick);

    /// <summary>A ring's call, null if the guest polls.</summary>
    Verdict SetVringCall(uint ring, EventFd? call);

    /// <summary>Where to tell of a ring's fault.</summary>
    Verdict SetVringError(uint ring, EventFd? error);

    /// <summary>Enables or disables a ring.</summary>
    Verdict SetVringEnable(uint ring, bool enable);

    /// <summary>Where to note the pages that are written, from now on.</summary>
    /// <param name="log">Held once for the method to keep or release.</param>
    Verdict SetLog(DirtyLog log);

    /// <summary>All rings stop and are forgotten, as at a reset of the device; its memory and its session stay.</summary>
    Verdict ResetDevice();

    /// <summary>The MTU that the guest was told of.</summary>
    /// <param name="mtu">Any number.</param>
    Verdict SetMtu(ulong mtu);

    /// <summary>The guest has arrived from elsewhere: tell the network of its address, in its place.</summary>
    /// <param name="address">MAC address in the six low bytes, the first one lowest.</param>
    Verdict SendRarp(ulong address);

    /// <summary>The device's configuration space; null: it has none.</summary>
    byte[]? GetConfig();

    /// <summary>The driver writes into the configuration space.</summary>
    Verdict SetConfig(uint offset, ReadOnlySpan<byte> bytes);

    /// <summary>Makes an inflight region for the front-end to keep; null: this device has none.</summary>
    InflightRegion? GetInflight(int queues, int queueSize);

    /// <summary>An inflight region that the front-end has kept.</summary>
    /// <param name="file">The region's.</param>
    /// <param name="size">Bytes of it.</param>
    /// <param name="offset">Of its first byte in the file.</param>
    /// <param name="queues">Virtqueues.</param>
    /// <param name="queueSize">Entries of each.</param>
    Verdict SetInflight(FileDescriptor file, ulong size, ulong offset, int queues, int queueSize);

    /// <summary>The socket to ask the front-end on.</summary>
    Verdict SetBackendRequests(FileDescriptor socket);

    /// <summary>The device status as the guest wrote it.</summary>
    Verdict SetStatus(byte status);

    /// <summary>The device status.</summary>
    byte GetStatus();
}
