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
}

/// <summary>
/// The queue that is tested, by the few things that fuzzers do with it: the one place to change when its API does.
/// </summary>
internal sealed class QueueUnderTest : IDisposable
{
    private readonly SplitQueue _queue;
    private readonly Sabotage _sabotage;
    private int _popped;
    private int _used;

    private QueueUnderTest(SplitQueue queue, Sabotage sabotage) => (_queue, _sabotage) = (queue, sabotage);

    public SplitQueue Queue => _queue;

    public Chain Chain { get; } = new();

    public QueueFault Fault => _queue.Fault;

    public ushort NextAvailable => _queue.NextAvailable;

    public static QueueUnderTest? TryCreate(
        GuestMemory memory, RingLayout layout, int size, ulong features, ushort start, Sabotage sabotage = Sabotage.None) =>
        SplitQueue.TryCreate(memory, layout, size, features, start, out _) is { } queue ? new QueueUnderTest(queue, sabotage) : null;

    public PopResult Pop()
    {
        var result = _queue.TryPop(Chain);
        if (result is PopResult.Chain or PopResult.BadChain)
            _popped++;
        return result;
    }

    /// <summary>Gives the chain popped last back.</summary>
    public void Use(ushort head, uint written)
    {
        _queue.AddUsed(head, _sabotage == Sabotage.UsedLength ? written + 1 : written);
        _used++;
        if (_sabotage == Sabotage.UsedTwice)
            _queue.AddUsed(head, written);
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

    /// <summary>What was popped and used since a mark, to be put back.</summary>
    public (int Popped, int Used) Mark => (_popped, _used);

    public void Rewind((int Popped, int Used) mark)
    {
        _queue.UndoPop(_popped - mark.Popped);
        _queue.UndoUsed(_used - mark.Used);
        (_popped, _used) = mark;
    }

    public bool Publish() => _queue.PublishUsed();

    public void DisableKicks() => _queue.DisableKicks();

    public bool EnableKicks() => _sabotage != Sabotage.NoKicks && _queue.EnableKicks();

    public void Dispose()
    {
        Chain.Dispose();
        _queue.Dispose();
    }
}
