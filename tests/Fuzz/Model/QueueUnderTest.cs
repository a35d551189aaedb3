using InterGuest.Fuzz.Engine;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Model;

/// <summary>Errors put in on purpose, to see that a fuzzer finds them.</summary>
public enum Sabotage
{
    /// <summary>None.</summary>
    None,

    /// <summary>A used length one byte too long.</summary>
    UsedLength,

    /// <summary>One byte more written than said.</summary>
    ExtraByte,

    /// <summary>A chain given back twice.</summary>
    UsedTwice,

    /// <summary>Kicks are never asked for.</summary>
    NoKicks,

    /// <summary>Writes are not asked to be durable, and should be.</summary>
    NotDurable,

    /// <summary>A disk is let change while a client uses it.</summary>
    DiskMayChange,
}

/// <summary>
/// The queue that is tested, by the few things that fuzzers do with it: the one place to change when its API does.
/// </summary>
internal sealed class QueueUnderTest : IDisposable
{
    private readonly DeviceQueue _queue;
    private readonly Sabotage _sabotage;

    private QueueUnderTest(DeviceQueue queue, Sabotage sabotage) => (_queue, _sabotage) = (queue, sabotage);

    public DeviceQueue Queue => _queue;

    public Chain Chain { get; } = new();

    public QueueFault Fault => _queue.Fault;

    public ushort NextAvailable => (ushort)_queue.State;

    public static QueueUnderTest? TryCreate(
        GuestMemory memory, RingLayout layout, int size, ulong features, uint start, Sabotage sabotage = Sabotage.None) =>
        DeviceQueue.TryCreate(memory, layout, size, features, start, out _) is { } queue ? new QueueUnderTest(queue, sabotage) : null;

    public PopResult Pop() => _queue.TryPop(Chain);

    /// <summary>Gives the chain popped last back.</summary>
    public void Use(ushort head, uint written) => Use(new ChainTicket(head, 1), written);

    /// <summary>Gives a chain back.</summary>
    public void Use(ChainTicket chain, uint written)
    {
        _queue.AddUsed(chain, _sabotage == Sabotage.UsedLength ? written + 1 : written);
        if (_sabotage == Sabotage.UsedTwice)
            _queue.AddUsed(chain, written);
    }

    /// <summary>Writes to the chain popped last, in pieces.</summary>
    public void Write(ReadOnlySpan<byte> bytes, int pieces)
    {
        var writable = Chain.Writable;
        int step = Math.Max(1, bytes.Length / Math.Max(1, pieces));
        for (int at = 0; at < bytes.Length; at += step)
        {
            var piece = bytes[at..Math.Min(bytes.Length, at + step)];
            FuzzException.UnlessEqual(piece.Length, writable.Write(piece), "bytes written");
        }
        if (_sabotage == Sabotage.ExtraByte)
            writable.Write([0x5a]);
    }

    /// <summary>A place to go back to, as long as no chain taken behind it was given back.</summary>
    public QueuePosition Mark => _queue.Position;

    public void Rewind(QueuePosition mark) => _queue.Rewind(mark);

    /// <summary>Shows the driver what was given back, but for the last chains, if it polls.</summary>
    public bool Publish(int late = 0) => _queue.PublishUsed(late, out _);

    public void DisableKicks() => _queue.DisableKicks();

    public bool EnableKicks() => _sabotage != Sabotage.NoKicks && _queue.EnableKicks();

    public void Dispose()
    {
        Chain.Dispose();
        _queue.Dispose();
    }
}
