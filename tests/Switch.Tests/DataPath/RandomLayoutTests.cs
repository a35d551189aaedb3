using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>Whatever the layout of descriptors on both sides: frames arrive whole and in order, and lengths are exact.</summary>
public class RandomLayoutTests
{
    private const int FramesPerRun = 150;

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 32)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void FramesSurviveAnyLayout(int seed)
    {
        var random = new Random(seed);
        bool mergeable = seed % 2 == 0;
        using var wire = new Wire(Options(random, TestGuest.PlainFeatures), Options(random, mergeable ? Wire.Mergeable : TestGuest.PlainFeatures));
        var receiver = new RandomReceiver(wire, random, mergeable);
        var waiting = new Queue<byte[]>();
        int sent = 0, delivered = 0;
        while (sent < FramesPerRun || waiting.Count > 0)
        {
            for (int i = random.Next(4); i > 0 && sent < FramesPerRun && TrySend(wire, random, sent, out byte[] frame); i--)
            {
                waiting.Enqueue(frame);
                sent++;
            }
            receiver.Post();
            wire.Pass(random.Next(1, 9));
            while (receiver.TryTake() is { } received)
            {
                Assert.Equal(waiting.Dequeue(), received);
                delivered++;
            }
            while (wire.Sender.Transmit().Driver.InFlight > waiting.Count)
                Assert.Equal(0u, wire.Sender.Transmit().NextUsed());
        }
        Assert.Equal(FramesPerRun, delivered);
        wire.AssertAccounted(FramesPerRun, FramesPerRun);
        Assert.All(wire.SenderCounters.Faults, f => Assert.Equal(QueueFault.EmptyDescriptor, f.Fault));
        Assert.All(wire.ReceiverCounters.Faults, f => Assert.Equal(QueueFault.EmptyDescriptor, f.Fault));
    }

    private static TestGuestOptions Options(Random random, ulong features)
    {
        bool indirect = random.Next(2) == 0;
        return new TestGuestOptions
        {
            Features = features | (indirect ? Features.RingIndirectDescriptors : 0) | (random.Next(2) == 0 ? Features.RingEventIndex : 0)
                | (random.Next(2) == 0 ? Features.RingPacked : 0),
            MaxIndirect = indirect ? random.Next(33) : 0,
            QueueSize = 128,
            ReceiveBuffers = 0,
            MemoryBytes = 32 << 20,
        };
    }

    private static bool TrySend(Wire wire, Random random, int number, out byte[] frame)
    {
        int size = random.Next(4) switch { 0 => random.Next(14, 70), 1 => random.Next(1400, 1600), _ => random.Next(14, 4000) };
        frame = Frames.Numbered(number, size);
        if (wire.Sender.Transmit().Driver.Free < 24)
            return false;
        // At most 24 descriptors: one in three is empty, the last one takes the rest.
        int least = size / 8 + 2;
        int[] lengths = [.. Enumerable.Range(0, 6).Select(_ => random.Next(3) == 0 ? 0 : random.Next(least, 2 * least)), least];
        wire.Sender.Transmit().SendIn(default, frame, lengths);
        return true;
    }

    /// <summary>A driver that posts chains of any shape, and puts frames together from what it gets back.</summary>
    private sealed class RandomReceiver(Wire wire, Random random, bool mergeable)
    {
        private readonly DriverQueue _driver = wire.Receiver.Receive().Driver;
        private readonly Dictionary<int, DriverBuffer[]> _chains = [];
        private readonly Stack<ulong> _pool = new(Enumerable.Range(0, 400).Select(_ => wire.Receiver.Memory.Allocate(4200)));
        private int _token;

        public void Post()
        {
            for (int i = random.Next(12); i > 0 && _driver.Free >= 16 && _pool.Count >= 16; i--)
            {
                var chain = mergeable ? Pieces(random.Next(1, 5), random.Next(12, 1500)) : Pieces(random.Next(1, 15), 4012);
                Assert.True(_driver.TryAdd([], chain, _token));
                _chains.Add(_token++, chain);
            }
            _driver.Publish();
        }

        public byte[]? TryTake()
        {
            if (!_driver.TryGetUsed(out int token, out uint written))
                return null;
            byte[] first = Read(token, written);
            int buffers = first[10] | first[11] << 8;
            Assert.True(mergeable ? buffers > 0 : buffers == 1);
            List<byte> frame = [.. first[NetHeader.Bytes..]];
            for (int i = 1; i < buffers; i++)
            {
                Assert.True(_driver.TryGetUsed(out token, out written));
                frame.AddRange(Read(token, written));
            }
            return [.. frame];
        }

        /// <summary>Each piece in a buffer of its own, with guard bytes on both sides of it.</summary>
        private DriverBuffer[] Pieces(int count, int total)
        {
            var pieces = new DriverBuffer[count];
            for (int i = 0; i < count; i++)
            {
                int length = i == count - 1 ? total : random.Next(0, total + 1);
                total -= length;
                ulong at = _pool.Pop();
                wire.Receiver.Memory.At(at, 4200).Fill(0xee);
                pieces[i] = new DriverBuffer(at + 64, (uint)length);
            }
            return pieces;
        }

        private byte[] Read(int token, uint written)
        {
            Assert.True(_chains.Remove(token, out var chain));
            var bytes = new List<byte>();
            foreach (var piece in chain)
            {
                int here = (int)Math.Min(written, piece.Length);
                bytes.AddRange(wire.Receiver.Memory.At(piece.GuestAddress, here));
                written -= (uint)here;
                // No byte outside what was used was touched.
                Assert.True(wire.Receiver.Memory.At(piece.GuestAddress - 64, 64).IndexOfAnyExcept((byte)0xee) < 0);
                Assert.True(wire.Receiver.Memory.At(piece.GuestAddress + (uint)here, 4136 - here).IndexOfAnyExcept((byte)0xee) < 0);
                _pool.Push(piece.GuestAddress - 64);
            }
            Assert.Equal(0u, written);
            return [.. bytes];
        }
    }
}
