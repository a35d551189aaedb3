using BenchmarkDotNet.Attributes;
using InterGuest.Switch.DataPath;

namespace InterGuest.Benchmarks.Micro;

/// <summary>A guest that sends, one that receives, and the join of the two.</summary>
public abstract class TransferBenchmarks : IDisposable
{
    private NetJoin _join = null!;
    private int _copied;

    private protected FlatGuest Sender { get; private set; } = null!;

    private protected FlatGuest Receiver { get; private set; } = null!;

    [GlobalCleanup]
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    private protected void Connect(FlatGuest sender, FlatGuest receiver)
    {
        (Sender, Receiver) = (sender, receiver);
        _join = new NetJoin(sender.End, receiver.End, TimeSpan.FromSeconds(60), new TrafficCounters());
    }

    /// <summary>Buffers of the one copied to those of the other, by the C library, and nothing else.</summary>
    protected void Copy(int buffers, int bytes)
    {
        for (int i = 0; i < buffers; i++, _copied++)
            Native.Copy(Sender.Memory.At(Sender.Address(_copied), bytes), Receiver.Memory.At(Receiver.Address(_copied), bytes));
    }

    /// <summary>Frames moved from rings that are full.</summary>
    protected void Transfer(int frames)
    {
        Sender.Feed();
        Receiver.Feed();
        if (_join.Transfer(frames) != TransferResult.More)
            throw new InvalidOperationException("A frame was not forwarded.");
    }

    protected virtual void Dispose(bool disposing)
    {
        _join?.Dispose();
        Sender?.Dispose();
        Receiver?.Dispose();
    }
}
