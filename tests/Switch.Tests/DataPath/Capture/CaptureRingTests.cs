using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Capture;

namespace InterGuest.Switch.Tests.DataPath.Capture;

/// <summary>What is captured is what was sent; what does not fit is counted; nobody waits.</summary>
public sealed class CaptureRingTests
{
    [Fact]
    public void FramesAreByteForByteThoseThatWereSent()
    {
        using var wire = new Wire(new() { QueueSize = 256 }, new() { ReceiveBufferBytes = 70000, MemoryBytes = 32 << 20, QueueSize = 256 });
        var ring = Tap(wire, 1 << 19, 1 << 17);
        foreach (int size in Frames.Sizes)
        {
            wire.Sender.Send(Frames.Numbered(size, size));
            wire.Pass();
            var (frame, bytes) = Read(ring)!.Value;
            Assert.Equal((size, 1, (DropReason?)null), (frame.Length, frame.Direction, frame.Dropped));
            Assert.Equal(Frames.Numbered(size, size), bytes);
            Assert.Equal(Frames.Numbered(size, size), wire.Receiver.ReceiveFrame());
        }
        Assert.Null(Read(ring));
        Assert.Equal(0, ring.Shed);
    }

    [Fact]
    public void OnlyTheFirstBytesAreKept()
    {
        using var wire = new Wire();
        var ring = Tap(wire, 1 << 12, 40);
        wire.Sender.Send(Frames.Numbered(1, 200));
        wire.Sender.Send(Frames.Numbered(2, 20));
        wire.Pass();
        var (frame, bytes) = Read(ring)!.Value;
        Assert.Equal(200, frame.Length);
        Assert.Equal(Frames.Numbered(1, 200)[..40], bytes);
        Assert.Equal(Frames.Numbered(2, 20), Read(ring)!.Value.Bytes);
    }

    [Fact]
    public void DroppedFramesAreShownWithTheirReason()
    {
        using var wire = new Wire(receiver: new() { ReceiveBuffers = 0 }, hold: TimeSpan.Zero);
        var ring = Tap(wire, 1 << 12, 100);
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.Pass();
        var (frame, bytes) = Read(ring)!.Value;
        Assert.Equal(DropReason.NoBuffers, frame.Dropped);
        Assert.Equal(Frames.Numbered(1, 60), bytes);
    }

    [Fact]
    public void AFrameThatWaitsIsShownOnceWhenItsFateIsKnown()
    {
        using var wire = new Wire(receiver: new() { ReceiveBuffers = 0 });
        var ring = Tap(wire, 1 << 12, 100);
        wire.Sender.Send(Frames.Numbered(1, 60));
        wire.Pass();
        Assert.Null(Read(ring));
        wire.Receiver.Receive().PostBuffers(1, 2048);
        wire.Pass();
        Assert.Null(Read(ring)!.Value.Frame.Dropped);
        Assert.Null(Read(ring));
    }

    [Fact]
    public void WithoutRoomFramesAreCountedAndTheLinkGoesOn()
    {
        using var wire = new Wire(new() { QueueSize = 1024 }, new() { QueueSize = 1024, ReceiveBufferBytes = 300 });
        var ring = Tap(wire, 1 << 12, 200);
        for (int i = 0; i < 1000; i++)
            wire.Sender.Send(Frames.Numbered(i, 200));
        while (wire.Pass() == TransferResult.More)
        {
        }
        wire.AssertAccounted(1000, 1000);
        int read = 0;
        for (; Read(ring) is { } one; read++)
            Assert.Equal(Frames.Numbered(read, 200), one.Bytes);
        Assert.Equal((4096 / 224, 1000 - read), (read, (int)ring.Shed));
        wire.Sender.Send(Frames.Numbered(7, 60));
        wire.Pass();
        Assert.Equal(Frames.Numbered(7, 60), Read(ring)!.Value.Bytes); // there is room again
    }

    /// <summary>Two threads: each frame is read whole and in order, or counted as left out.</summary>
    [Fact]
    public void AReaderAtTheSameTimeSeesWholeFramesInOrder()
    {
        const int Total = 20_000;
        using var wire = new Wire(new() { QueueSize = 64 }, new() { QueueSize = 64 });
        var ring = Tap(wire, 1 << 13, 1500);
        using var done = new ManualResetEventSlim();
        var seen = new List<int>();
        var reader = new Thread(() =>
        {
            while (true)
            {
                bool last = done.IsSet;
                while (Read(ring) is { } one)
                {
                    int number = Frames.NumberOf(one.Bytes);
                    seen.Add(one.Bytes.AsSpan().SequenceEqual(Frames.Numbered(number, SizeOf(number))) ? number : -1);
                }
                if (last)
                    return;
            }
        });
        reader.Start();
        for (int i = 0; i < Total; i++)
        {
            wire.Sender.Send(Frames.Numbered(i, SizeOf(i)));
            wire.Pass();
            wire.Receiver.ReceiveFrame();
            wire.Sender.Transmit().NextUsed();
        }
        done.Set();
        Assert.True(reader.Join(Testing.TestGuest.Patience));
        Assert.Equal(Total, seen.Count + ring.Shed);
        Assert.DoesNotContain(-1, seen);
        Assert.Equal(seen.Order(), seen);
        Assert.NotEmpty(seen);
    }

    private static int SizeOf(int number) => 14 + number * 37 % 1400;

    private static CaptureRing Tap(Wire wire, int bytes, int snapLength)
    {
        var ring = new CaptureRing(bytes, snapLength, null);
        wire.Join.Tap = new CaptureTap(1, [ring], TimeProvider.System);
        return ring;
    }

    private static (CapturedFrame Frame, byte[] Bytes)? Read(CaptureRing ring)
    {
        if (!ring.TryRead(out var frame, out var bytes))
            return null;
        byte[] copy = bytes.ToArray();
        ring.Release();
        return (frame, copy);
    }
}
