using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>A device with two rings that writes down what it is told, and owns what it is given.</summary>
internal sealed class RecordingBackEnd : IBackEnd, IDisposable
{
    internal const ulong OfferedFeatures = 0x1_7000_0000, OfferedProtocol = 0x18029, Queues = 128;

    /// <summary>Each call as text: the method's name and its numbers.</summary>
    internal List<string> Calls { get; } = [];

    /// <summary>Methods that refuse.</summary>
    internal HashSet<string> Refusing { get; } = [];

    internal Ring[] Rings { get; } = [new(), new()];

    internal ulong Features { get; private set; }

    internal DirtyLog? Log { get; private set; }

    internal byte Status { get; private set; }

    internal FileDescriptor? BackendRequests { get; private set; }

    public GuestMemory Memory { get; private set; } = GuestMemory.Empty;

    public void Dispose()
    {
        Memory.Release();
        Log?.Release();
        BackendRequests?.Dispose();
        foreach (var ring in Rings)
            ring.Stop();
        foreach (var ring in Rings)
            ring.Error?.Dispose();
    }

    public ulong GetFeatures() => Record(OfferedFeatures, nameof(GetFeatures));

    public ulong GetProtocolFeatures() => Record(OfferedProtocol, nameof(GetProtocolFeatures));

    public ulong GetQueueNum() => Record(Queues, nameof(GetQueueNum));

    public byte GetStatus() => Record(Status, nameof(GetStatus));

    public Verdict SetFeatures(ulong features) => Do($"SetFeatures 0x{features:x}", () => Features = features);

    public Verdict SetProtocolFeatures(ulong features) => Do($"SetProtocolFeatures 0x{features:x}", () => { });

    public Verdict SetStatus(byte status) => Do($"SetStatus 0x{status:x}", () => Status = status);

    public Verdict SetVringNum(uint ring, uint size) => Do($"SetVringNum {ring} {size}", () => Rings[ring].Size = (int)size);

    public Verdict SetVringBase(uint ring, uint index) => Do($"SetVringBase {ring} {index}", () => Rings[ring].Base = (ushort)index);

    public Verdict SetVringEnable(uint ring, bool enable) => Do($"SetVringEnable {ring} {enable}", () => Rings[ring].Enabled = enable);

    public Verdict SetVringAddress(uint ring, RingLayout layout, ulong? logAddress) =>
        Do($"SetVringAddress {ring} {layout.Descriptors:x} {layout.Available:x} {layout.Used:x}{(logAddress is { } log ? $" log {log:x}" : "")}", () => Rings[ring].Layout = layout);

    public Verdict ResetDevice() => Do(nameof(ResetDevice), () => { });

    public Verdict SetMtu(ulong mtu) => Do($"SetMtu {mtu}", () => { });

    public Verdict SendRarp(ulong address) => Do($"SendRarp {address:x}", () => { });

    public Verdict SetLog(DirtyLog log)
    {
        var verdict = Do("SetLog", () => { });
        (verdict.Refusal == null ? Log : log)?.Release();
        if (verdict.Refusal == null)
            Log = log;
        return verdict;
    }

    public Verdict SetMemory(GuestMemory memory)
    {
        var verdict = Do("SetMemory " + string.Join(' ', memory.Layout.Select(l => $"{l.GuestAddress:x}+{l.Size:x}@{l.UserAddress:x}")), () => { });
        (verdict.Refusal == null ? Memory : memory).Release();
        if (verdict.Refusal == null)
            Memory = memory;
        return verdict;
    }

    public Verdict StopVring(uint ring, out uint index)
    {
        index = ring < Rings.Length ? Rings[ring].Base : 0u;
        return Do($"StopVring {ring}", () => Rings[ring].Stop());
    }

    public Verdict SetVringKick(uint ring, EventFd? kick) =>
        Own($"SetVringKick {ring}", kick, () => Rings[ring].Kick, () =>
        {
            Rings[ring].Kick = kick;
            Rings[ring].Start(Memory, Features);
        });

    public Verdict SetVringCall(uint ring, EventFd? call) =>
        Own($"SetVringCall {ring}", call, () => Rings[ring].Call, () => Rings[ring].Call = call);

    public Verdict SetVringError(uint ring, EventFd? error) =>
        Own($"SetVringError {ring}", error, () => Rings[ring].Error, () => Rings[ring].Error = error);

    public bool IsQuiet(uint ring) => true;

    public byte[]? GetConfig() => null;

    public Verdict SetConfig(uint offset, ReadOnlySpan<byte> bytes) => Verdict.Refused(MessageFault.WrongConfig, "no configuration here");

    public InflightRegion? GetInflight(int queues, int queueSize) => null;

    public Verdict SetInflight(FileDescriptor file, ulong size, ulong offset, int queues, int queueSize)
    {
        file.Dispose();
        return Verdict.Refused(MessageFault.WrongInflight, "no inflight region here");
    }

    public Verdict SetBackendRequests(FileDescriptor socket) => Do("SetBackendRequests", () => BackendRequests = socket);

    private T Record<T>(T value, string call)
    {
        Calls.Add(call);
        return value;
    }

    private Verdict Own(string call, EventFd? bell, Func<EventFd?> old, Action keep)
    {
        var verdict = Do(call + (bell == null ? " none" : ""), () =>
        {
            old()?.Dispose();
            keep();
        });
        if (verdict.Refusal != null)
            bell?.Dispose();
        return verdict;
    }

    private Verdict Do(string call, Action action)
    {
        Calls.Add(call);
        if (Refusing.Contains(call.Split(' ')[0]))
            return Verdict.Refused(MessageFault.NotOffered, "the test wants it");
        action();
        return Verdict.Done;
    }

    /// <summary>What a device knows of a ring.</summary>
    internal sealed class Ring
    {
        internal int Size;
        internal ushort Base;
        internal RingLayout Layout;
        internal bool Enabled;
        internal EventFd? Kick, Call, Error;

        /// <summary>Why it could not be started; empty if it runs, null if it is stopped.</summary>
        internal string? Problem;

        internal void Start(GuestMemory memory, ulong features)
        {
            DeviceQueue.TryCreate(memory, Layout, Size, features, Base, out string why)?.Dispose();
            Problem = why;
        }

        internal void Stop()
        {
            Kick?.Dispose();
            Call?.Dispose();
            Kick = Call = null;
            Problem = null;
        }
    }
}
