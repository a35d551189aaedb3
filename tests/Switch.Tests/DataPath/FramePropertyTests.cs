using FsCheck;
using FsCheck.Fluent;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>
/// However a driver cuts a frame and its header into descriptors, and however a receiver cuts its buffers, the same bytes
/// arrive (VIRTIO 1.2, 2.7.4.1: no assumption about layout; 5.1.6.2, 5.1.6.3). A run that fails prints what to replay.
/// </summary>
public class FramePropertyTests
{
    private const int QueueSize = 1024, MaxFrame = 300;
    private const byte Guard = 0xe7;

    private static readonly Config Runs = Config.QuickThrowOnFailure.WithMaxTest(150);

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void AnyCutDeliversTheSameBytes(bool indirect, bool mergeable) =>
        Prop.ForAll(Cuts(), Cuts(), Arb.From(Gen.Choose(14, MaxFrame)), (sent, received, length) =>
            Deliver(indirect, mergeable, sent, received, length)).Check(Runs);

    /// <summary>The layouts that devices got wrong before.</summary>
    [Theory]
    [InlineData(new[] { 12, 14 })]
    [InlineData(new[] { 1 })]
    [InlineData(new[] { -1 })]
    [InlineData(new[] { 11, 1, -300 })]
    [InlineData(new[] { -12, -14 })]
    [InlineData(new[] { 6, 6, 7, 7 })]
    [InlineData(new[] { 4096 })]
    public void KnownCutsDeliverTheSameBytes(int[] cut)
    {
        foreach (bool indirect in new[] { false, true })
            foreach (bool mergeable in new[] { false, true })
                foreach (int length in new[] { 14, 60, MaxFrame })
                    Deliver(indirect, mergeable, cut, cut, length);
    }

    /// <summary>Both indices go round more than once (2.7.6, 2.7.8), and every frame arrives, once, in order.</summary>
    [Fact]
    public void OrderIsKeptWhereIndicesWrap()
    {
        const int frames = 150_000;
        using var wire = new Wire(new() { QueueSize = 4 }, new() { QueueSize = 8 });
        int arrived = 0;
        for (int sent = 0; sent < frames; sent++)
        {
            wire.Sender.Send(BitConverter.GetBytes(sent).Concat(new byte[16]).ToArray());
            wire.Pass();
            Assert.Equal(0u, wire.Sender.Transmit().NextUsed());
            Assert.Equal(arrived++, Frames.NumberOf(wire.Receiver.ReceiveFrame()));
        }
        wire.AssertAccounted(frames, frames);
    }

    /// <summary>Lengths of pieces; a negative one has an empty piece in front of it.</summary>
    private static Arbitrary<int[]> Cuts() => Arb.From(
        Gen.NonEmptyListOf(Gen.OneOf(Gen.Elements(1, -1, 2, 10, 12, -12, 14), Gen.Choose(1, 80), Gen.Choose(-20, -1))).Select(l => l.Take(24).ToArray()),
        cut => cut.Length > 1 ? [cut[1..], cut[..^1]] : []);

    private static bool Deliver(bool indirect, bool mergeable, int[] sentCut, int[] receivedCut, int length)
    {
        ulong ring = indirect ? Features.RingIndirectDescriptors : 0;
        var options = new TestGuestOptions { QueueSize = QueueSize, ReceiveBuffers = 0, MaxIndirect = indirect ? QueueSize : 0, Features = TestGuest.PlainFeatures | ring, MemoryBytes = 64 << 20 };
        using var wire = new Wire(options, options with { Features = options.Features | (mergeable ? Features.NetMergeableBuffers : 0) });
        var sender = new Pieces(wire.Sender);
        var receiver = new Pieces(wire.Receiver);
        byte[] frame = Frames.Numbered(length, length);
        byte[] sent = [.. new byte[NetHeader.Bytes], .. frame];

        Assert.True(wire.Sender.Transmit().Driver.TryAdd(sender.Cut(sentCut, sent.Length, sent), [], 1));
        wire.Sender.Transmit().KickIfWanted();
        int buffers = Post(wire, receiver, receivedCut, mergeable);
        wire.Pass();

        var returned = wire.Returned();
        byte[] got = receiver.Read(returned);
        Assert.Equal(frame, got[NetHeader.Bytes..]);
        Assert.Equal(returned.Count, got[NetHeader.BuffersOffset] | got[NetHeader.BuffersOffset + 1] << 8);
        Assert.InRange(returned.Count, 1, buffers);
        Assert.True(wire.Sender.Transmit().Driver.TryGetUsed(out int token, out uint written));
        Assert.Equal((1, 0u), (token, written));
        Assert.Equal(sent, sender.ReadAll());
        wire.AssertAccounted(1, 1);
        return true;
    }

    /// <summary>Enough buffers for the longest frame: one for all of it, or one for each few pieces.</summary>
    private static int Post(Wire wire, Pieces receiver, int[] cut, bool mergeable)
    {
        var driver = wire.Receiver.Receive().Driver;
        int perBuffer = mergeable ? Math.Max(NetHeader.Bytes, cut.Sum(Math.Abs)) : MaxFrame + NetHeader.Bytes;
        int posted = 0;
        for (; posted * perBuffer < MaxFrame + NetHeader.Bytes; posted++)
            Assert.True(driver.TryAdd([], receiver.Cut(cut, perBuffer), posted));
        wire.Receiver.Receive().KickIfWanted();
        return posted;
    }

    /// <summary>Buffers in a guest's memory, a few bytes apart from each other; the bytes between must stay.</summary>
    private sealed class Pieces(TestGuest guest)
    {
        private readonly List<DriverBuffer[]> _chains = [];

        /// <summary>A chain of pieces, cut over and over, with so many bytes in all.</summary>
        public DriverBuffer[] Cut(int[] cut, int bytes, byte[]? content = null)
        {
            var pieces = new List<DriverBuffer>();
            for (int at = 0, i = 0; at < bytes; i++)
            {
                int length = Math.Min(Math.Abs(cut[i % cut.Length]), bytes - at);
                if (cut[i % cut.Length] < 0)
                    pieces.Add(new DriverBuffer(guest.Memory.Allocate(16), 0));
                ulong place = guest.Memory.Allocate((uint)length + 2, 1);
                guest.Memory.At(place, length + 2).Fill(Guard);
                content?.AsSpan(at, length).CopyTo(guest.Memory.At(place + 1, length));
                pieces.Add(new DriverBuffer(place + 1, (uint)length));
                at += length;
            }
            _chains.Add([.. pieces]);
            return _chains[^1];
        }

        public byte[] ReadAll() => Read([.. _chains.Select((c, i) => (i, (uint)c.Sum(p => p.Length)))]);

        /// <summary>What was written into chains. Behind it, and around every piece, nothing has changed.</summary>
        public byte[] Read(List<(int Token, uint Written)> returned)
        {
            var bytes = new List<byte>();
            foreach (var (token, written) in returned)
                bytes.AddRange(Read(_chains[token], written));
            return [.. bytes];
        }

        private List<byte> Read(DriverBuffer[] chain, uint written)
        {
            var bytes = new List<byte>();
            foreach (var piece in chain.Where(p => p.Length > 0))
            {
                int here = (int)Math.Min(written, piece.Length);
                written -= (uint)here;
                bytes.AddRange(guest.Memory.At(piece.GuestAddress, here));
                Assert.Equal(Guard, guest.Memory.At(piece.GuestAddress - 1, 1)[0]);
                Assert.True(guest.Memory.At(piece.GuestAddress + (uint)here, (int)piece.Length - here + 1).IndexOfAnyExcept(Guard) < 0);
            }
            Assert.Equal(0u, written);
            return bytes;
        }
    }
}
