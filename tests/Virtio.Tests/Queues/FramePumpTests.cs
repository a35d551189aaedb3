using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>The short way of frames (VIRTIO 1.2, 5.1.6.2 and 5.1.6.4): what goes it, byte by byte, and what must be left as it was.</summary>
public class FramePumpTests
{
    private const ulong Plain = Features.Version1 | Features.NetMergeableBuffers | Features.RingIndirectDescriptors;
    private const int Size = 64, MaxFrame = 1514;

    private static readonly FrameTally _plenty = new(32, 1 << 20, 1000);

    public static TheoryData<bool, bool, int> Rings()
    {
        var rings = new TheoryData<bool, bool, int>();
        for (int i = 0; i < 8; i++)
            rings.Add((i & 1) != 0, (i & 2) != 0, (i & 4) != 0 ? Size : 0);
        return rings;
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public void AFrameInPiecesFillsAsManyBuffersAsItTakes(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        byte[] frame = Frame(1000), small = Frame(60);
        pair.Send(frame, 12, 500, 1, 499);
        pair.Send(small, 72);
        pair.Offer(300, 12, 400, 1000, 80);

        var moved = pair.Pump().Move(_plenty);

        Assert.Equal(new FrameTally(2, 1060, 4 + 4 + 2), moved);
        pair.Publish();
        Assert.Equal([.. Header(buffers: 4), .. frame[..288]], pair.Received());
        Assert.Equal(frame[288..300], pair.Received());
        Assert.Equal(frame[300..700], pair.Received());
        Assert.Equal(frame[700..], pair.Received());
        Assert.Equal([.. Header(buffers: 1), .. small], pair.Received());
        for (int i = 0; i < 2; i++)
            Assert.True(pair.Source.Driver.TryGetUsed(out _, out uint written) && written == 0);
        Assert.Equal(0, pair.Source.Driver.InFlight);
    }

    /// <summary>Buffers that came after the ring was looked at last are found when a frame needs them, with those that were known.</summary>
    [Theory]
    [MemberData(nameof(Rings))]
    public void AFrameTakesBuffersThatCameLater(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        byte[] first = Frame(100), second = Frame(1000);
        pair.Send(first, 12, 100);
        pair.Offer(200, 300);
        Assert.Equal(1, pair.Pump().Move(_plenty).Frames);

        pair.Send(second, 12, 500, 500);
        pair.Offer(400, 400);
        Assert.Equal(new FrameTally(1, 1000, 6), pair.Pump().Move(_plenty));

        pair.Publish();
        Assert.Equal([.. Header(buffers: 1), .. first], pair.Received());
        Assert.Equal([.. Header(buffers: 3), .. second[..288]], pair.Received());
        Assert.Equal(second[288..688], pair.Received());
        Assert.Equal(second[688..], pair.Received());
    }

    /// <summary>A guest's memory lies in several regions, and so do the pieces of one frame, and the buffers that it takes, and tables.</summary>
    [Theory]
    [MemberData(nameof(Rings))]
    public void AFramesPiecesMayLieInSeveralRegions(bool packedSource, bool packedTarget, int maxIndirect)
    {
        const ulong High = 0x1_0000_0000;
        using var sender = new DriverMemory(1 << 16, High);
        using var receiver = new DriverMemory(1 << 16, High);
        using var pair = new Pair(packedSource, packedTarget, maxIndirect, sender, receiver);
        var pump = pair.Pump();
        for (int round = 0; round < 5; round++)
        {
            byte[] frame = Frame(1000 + round);
            DriverBuffer[] pieces = [pair.Source.Room(12), Room(sender, 300), pair.Source.Room(300), Room(sender, 400 + round)];
            frame[..300].CopyTo(sender.At(pieces[1].GuestAddress, 300));
            frame[300..600].CopyTo(pair.Source.Memory.At(pieces[2].GuestAddress, 300));
            frame[600..].CopyTo(sender.At(pieces[3].GuestAddress, 400 + round));
            DriverBuffer[] rooms = [Room(receiver, 500), pair.Target.Room(300), Room(receiver, 300)];
            pair.Add(pieces);
            for (int i = 0; i < rooms.Length; i++)
                Assert.True(pair.Target.Driver.TryAdd([], [rooms[i]], i));
            pair.Target.Driver.Publish();

            Assert.Equal(new FrameTally(1, frame.Length, 7), pump.Move(_plenty));

            pair.Publish();
            for (int i = 0; i < rooms.Length; i++)
                Assert.True(pair.Target.Driver.TryGetUsed(out int token, out uint written) && token == i && written == (i < 2 ? rooms[i].Length : (uint)frame.Length - 788));
            Assert.Equal([.. Header(buffers: 3), .. frame[..488]], receiver.At(rooms[0].GuestAddress, 500).ToArray());
            Assert.Equal(frame[488..788], pair.Target.Memory.At(rooms[1].GuestAddress, 300).ToArray());
            Assert.Equal(frame[788..], receiver.At(rooms[2].GuestAddress, frame.Length - 788).ToArray());
            Assert.True(pair.Source.Driver.TryGetUsed(out _, out uint none) && none == 0);
        }

        static DriverBuffer Room(DriverMemory memory, int bytes) => new(memory.Allocate((uint)bytes), (uint)bytes);
    }

    /// <summary>More pieces than copies are put off at once.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ManyFramesInPiecesGoTogether(bool packed)
    {
        using var pair = new Pair(packed, packed, maxIndirect: Size);
        byte[][] frames = [.. Enumerable.Range(0, 14).Select(i => Frame(1000 + i))];
        foreach (byte[] frame in frames)
        {
            pair.Send(frame, [12, .. Enumerable.Repeat(100, 9), frame.Length - 900]);
            pair.Offer(512, 1000);
        }

        Assert.Equal(new FrameTally(14, frames.Sum(f => f.Length), 14 * 13), pair.Pump().Move(_plenty));
        pair.Publish();
        foreach (byte[] frame in frames)
        {
            Assert.Equal([.. Header(buffers: 2), .. frame[..500]], pair.Received());
            Assert.Equal(frame[500..], pair.Received());
        }
    }

    /// <summary>Frames in one descriptor are taken some at once: one that cannot go this way stays, and those behind it.</summary>
    [Theory]
    [MemberData(nameof(Rings))]
    public void WhatWasTakenBehindOneThatCannotGoComesAgain(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        byte[][] frames = [.. Enumerable.Range(0, 40).Select(i => Frame(60 + i))];
        for (int i = 0; i < frames.Length; i++)
        {
            pair.Send(i == 21 ? [1, .. Header(0)[1..], .. frames[i]] : frames[i], 12 + frames[i].Length);
            pair.Offer(200);
        }

        Assert.Equal(new FrameTally(21, frames[..21].Sum(f => f.Length), 42), pair.Pump().Move(_plenty with { Frames = 40 }));
        pair.Publish();
        for (int i = 0; i < 3; i++)
            pair.AssertLeft("a frame that asks for what nobody offered");
        Assert.Equal(PopResult.Chain, pair.Source.Pop());
        Assert.Equal(12ul + 81, pair.Source.Chain.Readable.Remaining);
        pair.Source.Device.AddUsed(pair.Source.Chain.Ticket, 0);
        Assert.Equal(18, pair.Pump().Move(_plenty).Frames);

        pair.Publish();
        foreach (byte[] frame in frames.Where((_, i) => i != 21))
            Assert.Equal([.. Header(buffers: 1), .. frame], pair.Received());
        for (int i = 0; i < 40; i++)
            Assert.True(pair.Source.Driver.TryGetUsed(out _, out uint written) && written == 0);
        Assert.Equal((0, 1), (pair.Source.Driver.InFlight, pair.Target.Driver.InFlight));
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public void AsManyGoAsThereAreBuffers(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        byte[][] frames = [.. Enumerable.Range(0, 30).Select(i => Frame(60 + i))];
        foreach (byte[] frame in frames)
            pair.Send(frame, 12 + frame.Length);
        foreach (int buffers in (int[])[3, 17, 10])
        {
            pair.AssertLeft("no buffers");
            pair.Offer([.. Enumerable.Repeat(200, buffers)]);
            Assert.Equal(buffers, pair.Pump().Move(_plenty).Frames);
            pair.Publish();
        }
        foreach (byte[] frame in frames)
            Assert.Equal([.. Header(buffers: 1), .. frame], pair.Received());
    }

    /// <summary>Frames are taken before their buffers: those behind a buffer that does not do come again.</summary>
    [Theory]
    [MemberData(nameof(Rings))]
    public void FramesBehindABufferThatIsTooSmallComeAgain(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        byte[][] frames = [.. Enumerable.Range(0, 12).Select(i => Frame(60 + i))];
        foreach (byte[] frame in frames)
            pair.Send(frame, 12 + frame.Length);
        pair.Offer([.. Enumerable.Repeat(200, 5), 71, .. Enumerable.Repeat(200, 7)]);
        var pump = pair.Pump(mergeable: false);

        Assert.Equal(new FrameTally(5, frames[..5].Sum(f => f.Length), 10), pump.Move(_plenty));
        Assert.Equal(default, pump.Move(_plenty));
        pair.Publish();
        Assert.Equal(PopResult.Chain, pair.Target.Pop());
        Assert.Equal(71ul, pair.Target.Chain.Writable.Remaining);
        pair.Target.Device.AddUsed(pair.Target.Chain.Ticket, 0);
        Assert.Equal(7, pump.Move(_plenty).Frames);

        pair.Publish();
        foreach (byte[] frame in frames[..5])
            Assert.Equal([.. Header(buffers: 1), .. frame], pair.Received());
        Assert.Empty(pair.Received());
        foreach (byte[] frame in frames[5..])
            Assert.Equal([.. Header(buffers: 1), .. frame], pair.Received());
        Assert.Equal(0, pair.Target.Driver.InFlight);
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public void WithTooFewBuffersAllStaysWhereItIs(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        byte[] frame = Frame(1000);
        pair.Send(frame, 512, 500);
        pair.Offer(500, 500);

        for (int i = 0; i < 3; i++)
            pair.AssertLeft("too few buffers");

        pair.Offer(12);
        Assert.Equal(1, pair.Pump().Move(_plenty).Frames);
        pair.Publish();
        Assert.Equal([.. Header(buffers: 3), .. frame[..488]], pair.Received());
        Assert.Equal(frame[488..988], pair.Received());
        Assert.Equal(frame[988..], pair.Received());
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public void AReceiverThatDoesNotMergeGetsAFrameInOneBuffer(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        byte[] frame = Frame(100);
        pair.Send(frame, 12, 100);
        pair.Send(Frame(101), 12, 101);
        pair.Offer(112, 112, 112);

        Assert.Equal(new FrameTally(1, 100, 3), pair.Pump(mergeable: false).Move(_plenty));

        pair.Publish();
        Assert.Equal([.. Header(buffers: 1), .. frame], pair.Received());
        Assert.Empty(pair.Received());
    }

    [Theory]
    [MemberData(nameof(Rings))]
    public void WhatIsNotPlainIsLeftForTheLongWay(bool packedSource, bool packedTarget, int maxIndirect)
    {
        (string What, Action<Pair> Send)[] cases =
        [
            ("a frame too short", p => p.Send(Frame(13), 12, 13)),
            ("a frame too long", p => p.Send(Frame(MaxFrame + 1), 12, MaxFrame + 1)),
            ("a header in two pieces", p => p.Send(Frame(100), 11, 101)),
            ("a header that asks for what nobody offered", p => p.Send([1, .. Header(0)[1..], .. Frame(100)], 12, 100)),
            ("a buffer without bytes", p => p.Add([p.Source.Room(112), new(p.Source.Room(1).GuestAddress, 0), p.Source.Room(10)])),
            ("a buffer that is nowhere", p => p.Add([p.Source.Room(112), new(0x10, 10)])),
            ("a buffer that ends nowhere", p => p.Add([p.Source.Room(112), new(TwoSidedQueue.GuestBase + TwoSidedQueue.DefaultMemoryBytes - 5, 10)])),
            ("more pieces than there is room for", p => p.Send(Frame(100), [12, .. Enumerable.Repeat(2, 50)])),
        ];
        foreach (var (what, send) in cases)
        {
            using var pair = new Pair(packedSource, packedTarget, maxIndirect);
            pair.Offer(2000, 2000);
            send(pair);
            pair.AssertLeft(what);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ABufferToBeWrittenIsNoPartOfAFrame(bool packed)
    {
        using var pair = new Pair(packed, packed, 0);
        pair.Offer(2000);
        pair.Add([pair.Source.Room(112), pair.Source.Room(10)], [pair.Source.Room(10)]);
        pair.AssertLeft("a writable buffer");
    }

    [Fact]
    public void ItEndsWithWhatItMayMove()
    {
        using var pair = new Pair(false, true, 0);
        for (int i = 0; i < 6; i++)
            pair.Send(Frame(100), 50, 62);
        pair.Offer(200, 200, 200, 200, 200, 200);
        var pump = pair.Pump();
        Assert.Equal(new FrameTally(1, 100, 3), pump.Move(_plenty with { Frames = 1 }));
        Assert.Equal(new FrameTally(2, 200, 6), pump.Move(_plenty with { Bytes = 101 }));
        Assert.Equal(new FrameTally(2, 200, 6), pump.Move(_plenty with { Descriptors = 4 }));
        Assert.Equal(new FrameTally(1, 100, 3), pump.Move(_plenty));

        for (int i = 0; i < 30; i++)
            pair.Send(Frame(100), 112);
        pair.Offer([.. Enumerable.Repeat(200, 30)]);
        Assert.Equal(new FrameTally(1, 100, 2), pump.Move(_plenty with { Frames = 1 }));
        Assert.Equal(new FrameTally(18, 1800, 36), pump.Move(_plenty with { Bytes = 1701 }));
        Assert.Equal(new FrameTally(3, 300, 6), pump.Move(_plenty with { Descriptors = 5 }));
        Assert.Equal(new FrameTally(8, 800, 16), pump.Move(_plenty));
    }

    /// <summary>What was taken and put back is not in flight; what was not put back is.</summary>
    [Fact]
    public void ABufferThatComesTwiceIsFoundByTheLongWay()
    {
        using var pair = new Pair(false, false, 0);
        pair.Send(Frame(300), 12, 300);
        pair.Offer(100, 100);
        pair.Target.Raw.Offer(0);
        pair.AssertLeft("a head that comes twice");

        Assert.Equal(PopResult.Chain, pair.Target.Pop());
        Assert.Equal(PopResult.Chain, pair.Target.Pop());
        Assert.Equal(PopResult.BadRing, pair.Target.Pop());
        Assert.Equal(QueueFault.HeadInFlight, pair.Target.Device.Fault);
    }

    /// <summary>The same among frames in one descriptor, behind which it comes again before any was copied.</summary>
    [Fact]
    public void AFrameThatComesTwiceIsFoundByTheLongWay()
    {
        using var pair = new Pair(false, false, 0);
        for (int i = 0; i < 5; i++)
            pair.Send(Frame(300), 312);
        pair.Source.Raw.Offer(2);
        pair.Offer([.. Enumerable.Repeat(400, 8)]);

        Assert.Equal(5, pair.Pump().Move(_plenty).Frames);
        Assert.Equal(PopResult.BadRing, pair.Source.Pop());
        Assert.Equal(QueueFault.HeadInFlight, pair.Source.Device.Fault);
    }

    /// <summary>Entries of the ring and headers are stored where they are not there yet: what an earlier round left must be told apart.</summary>
    [Theory]
    [MemberData(nameof(Rings))]
    public void RoundAfterRoundEachFrameHasItsOwnLength(bool packedSource, bool packedTarget, int maxIndirect)
    {
        using var pair = new Pair(packedSource, packedTarget, maxIndirect);
        var pump = pair.Pump();
        for (int round = 0; round < 6; round++)
        {
            byte[][] frames = [.. Enumerable.Range(0, Size).Select(i => Frame(60 + (i + round / 2) % 3))];
            foreach (byte[] frame in frames)
            {
                pair.Send(frame, 12 + frame.Length);
                pair.Offer(100);
            }
            Assert.Equal(32, pump.Move(_plenty).Frames);
            Assert.Equal(Size - 32, pump.Move(_plenty).Frames);
            pair.Publish();
            foreach (byte[] frame in frames)
            {
                Assert.Equal([.. Header(buffers: 1), .. frame], pair.Received());
                Assert.True(pair.Source.Driver.TryGetUsed(out _, out uint written) && written == 0);
            }
        }
    }

    private static byte[] Header(byte buffers) => [.. new byte[NetHeader.BuffersOffset], buffers, 0];

    private static byte[] Frame(int bytes)
    {
        byte[] frame = new byte[bytes];
        new Random(bytes).NextBytes(frame);
        return frame;
    }

    /// <summary>A transmit queue and a receive queue.</summary>
    private sealed class Pair(
        bool packedSource, bool packedTarget, int maxIndirect, DriverMemory? moreOfSource = null, DriverMemory? moreOfTarget = null) : IDisposable
    {
        private readonly List<DriverBuffer> _rooms = [];

        internal TwoSidedQueue Source { get; } = new(Size, Plain | (packedSource ? Features.RingPacked : 0), maxIndirect, onlyReads: true, more: More(moreOfSource));

        internal TwoSidedQueue Target { get; } = new(Size, Plain | (packedTarget ? Features.RingPacked : 0), more: More(moreOfTarget));

        public void Dispose()
        {
            Source.Dispose();
            Target.Dispose();
        }

        private static DriverMemory[] More(DriverMemory? memory) => memory == null ? [] : [memory];

        internal FramePump Pump(bool mergeable = true) =>
            new(Source.Device, NetHeader.Bytes, Target.Device, NetHeader.Bytes, mergeable, offloads: 0, MaxFrame);

        /// <summary>Sends a frame with a header in front, unless it has one, in pieces of these sizes.</summary>
        internal void Send(byte[] frame, params int[] pieces)
        {
            byte[] bytes = frame.Length == pieces.Sum() ? frame : [.. Header(0), .. frame];
            Assert.Equal(bytes.Length, pieces.Sum());
            var buffers = new DriverBuffer[pieces.Length];
            for (int i = 0, at = 0; i < pieces.Length; at += pieces[i++])
                buffers[i] = Source.Buffer(bytes.AsSpan(at, pieces[i]));
            Add(buffers);
        }

        internal void Add(DriverBuffer[] readable, params DriverBuffer[] writable)
        {
            Assert.True(Source.Driver.TryAdd(readable, writable, 0));
            Source.Driver.Publish();
        }

        internal void Offer(params int[] sizes)
        {
            foreach (int size in sizes)
            {
                _rooms.Add(Target.Room((uint)size));
                Assert.True(Target.Driver.TryAdd([], [_rooms[^1]], _rooms.Count - 1));
            }
            Target.Driver.Publish();
        }

        internal void Publish()
        {
            Source.Device.PublishUsed();
            Target.Device.PublishUsed();
        }

        /// <summary>The bytes of the buffer that is used next.</summary>
        internal byte[] Received() =>
            Target.Driver.TryGetUsed(out int room, out uint written) ? Target.Memory.At(_rooms[room].GuestAddress, (int)written).ToArray() : [];

        internal void AssertLeft(string what)
        {
            var (source, target) = (Source.Device.State, Target.Device.State);
            Assert.True(Pump().Move(_plenty) == default, what);
            Assert.Equal((source, target, false, false), (Source.Device.State, Target.Device.State, Source.Device.HasUnpublished, Target.Device.HasUnpublished));
        }
    }
}
