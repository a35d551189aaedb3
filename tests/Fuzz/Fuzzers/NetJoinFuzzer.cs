using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>
/// A join between two hostile guests (VIRTIO 1.2, 5.1.6): frames in any layout with any header into buffers of any layout,
/// bad chains and bad rings on both sides. The model must deliver and drop the same frames for the same reasons, and every
/// byte of both guests' memory must be what it says.
/// </summary>
public sealed class NetJoinFuzzer : IFuzzer
{
    internal const string FuzzerName = "net";
    private const int MaxRounds = 12, Budget = 64, MaxSize = 32;

    private const ulong SendOffloads = Features.NetChecksum | Features.NetHostTso4 | Features.NetHostTso6;
    private const ulong ReceiveOffloads = Features.NetGuestChecksum | Features.NetGuestTso4 | Features.NetGuestTso6;

    private readonly Arena _sender = new(96 << 10);
    private readonly Arena _receiver = new(96 << 10) { InAnyOrder = true }; // buffers may overlap, frames are copied together

    /// <inheritdoc/>
    public string Name => FuzzerName;

    /// <inheritdoc/>
    public void Run(Input input, Tally tally)
    {
        ulong ring = Ring(input), offloads = input.Chance(60) ? SendOffloads : 0;
        // A receiver that takes more than the sender sends is fine; one that takes less needs translation, which is another test's.
        ulong receives = ReceiveOffloads | (input.Chance(60) ? Features.NetMergeableBuffers : 0);
        using var sender = new NetGuest(_sender, input, ring | offloads | (input.Chance(30) ? Features.NetMergeableBuffers : 0), sends: true);
        using var receiver = new NetGuest(_receiver, input, Ring(input) | receives, sends: false);
        var hold = input.Chance(50) ? TimeSpan.Zero : TimeSpan.FromSeconds(60);
        var counters = new TrafficCounters();
        using var join = new NetJoin(sender.End, receiver.End, hold, counters);
        var model = new ReferenceJoin(
            sender.Model, receiver.Model, offloads != 0, (receives & Features.NetMergeableBuffers) != 0, drops: hold == TimeSpan.Zero);
        for (int round = 0; round < MaxRounds && !input.IsEmpty; round++)
        {
            sender.Act();
            receiver.Act();
            var result = join.Transfer(Budget);
            // The model does not know which frames went the short way, but how much may be late at most.
            FuzzException.Unless(join.Late <= sender.Model.Queue.Place.Size / 4, $"{join.Late} frames are seen late");
            var expected = model.Transfer(Budget, join.Late);
            FuzzException.UnlessEqual(expected, result, "how the turn ended");
            tally.Count($"turns: {result}");
            foreach (var reason in model.Drops.Keys)
                tally.Saw("turn", (int)result, Math.Min(3, Tally.Class((ulong)model.Frames)), (int)reason);
            _sender.Check("a turn, in the sender's memory");
            _receiver.Check("a turn, in the receiver's memory");
            Compare(model, counters, sender, receiver);
            if (result is TransferResult.SourceFault or TransferResult.TargetFault)
                break;
        }
        tally.Count("frames delivered", model.Frames);
        foreach (var (reason, times) in model.Drops)
            tally.Count($"frames dropped: {reason}", times);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sender.Dispose();
        _receiver.Dispose();
    }

    private static ulong Ring(Input input) =>
        (input.Chance(80) ? Features.Version1 : 0)
        | (input.Chance(70) ? Features.RingIndirectDescriptors : 0) | (input.Chance(50) ? Features.RingEventIndex : 0);

    /// <summary>Every frame is in one counter, with its reason.</summary>
    private static void Compare(ReferenceJoin model, TrafficCounters link, NetGuest sender, NetGuest receiver)
    {
        FuzzException.UnlessEqual(model.Frames, link.Frames, "frames of the link");
        FuzzException.UnlessEqual(model.Bytes, link.Bytes, "bytes of the link");
        FuzzException.UnlessEqual(model.Frames, sender.Counters.Traffic.Frames, "frames sent");
        FuzzException.UnlessEqual(model.Frames, receiver.Counters.Traffic.Frames, "frames received");
        FuzzException.UnlessEqual(Text(model.Drops.Select(d => (d.Key, d.Value))), Text(link.Drops), "drops of the link");
        FuzzException.UnlessEqual(Text(link.Drops), Text(sender.Counters.Traffic.Drops), "drops of the sender");
        FuzzException.UnlessEqual(sender.Model.Faults, sender.Counters.Faults.Where(f => f.Fault != QueueFault.EmptyDescriptor).Sum(f => f.Count), "faults of the sender");
        FuzzException.UnlessEqual(receiver.Model.Faults, receiver.Counters.Faults.Where(f => f.Fault != QueueFault.EmptyDescriptor).Sum(f => f.Count), "faults of the receiver");
    }

    private static string Text(IEnumerable<(DropReason Reason, long Count)> drops) =>
        string.Join(", ", drops.Where(d => d.Count > 0).OrderBy(d => d.Reason).Select(d => $"{d.Reason} {d.Count}"));

    /// <summary>One of the guests: its memory, its queue, and a driver that does what it likes.</summary>
    private sealed class NetGuest : IDisposable
    {
        private readonly Input _input;
        private readonly bool _sends;
        private readonly ulong _features;
        private readonly QueuePlace _place;
        private readonly ChainWriter _writer;
        private ushort _offered;
        private int _nextHead;

        public NetGuest(Arena arena, Input input, ulong features, bool sends)
        {
            (_input, _features, _sends) = (input, features, sends);
            var plan = new GuestPlan(arena, Apart: true);
            _place = plan.Lay(input, input.Pick(1, 2, 8, 16, MaxSize));
            _writer = new ChainWriter(plan, _place) { WrongPercent = input.Pick(0, 1, 4) };
            arena.Store(_place.Available, [0, 0, 0, 0]);
            var queue = QueueUnderTest.TryCreate(arena.Memory, _place.Layout, _place.Size, features, 0) ?? throw new FuzzException("the queue cannot be made");
            queue.Chain.Dispose();
            End = new QueueEnd(queue.Queue, features, kick: null, call: null, Counters);
            Model = new ReferenceEnd(arena, NewModel(), NetHeader.SizeFor(features));
            ReferenceQueue NewModel() => new(
                arena, _place, (features & Features.RingIndirectDescriptors) != 0, (features & Features.RingEventIndex) != 0, 0);
        }

        public QueueEnd End { get; }

        public ReferenceEnd Model { get; }

        public QueueCounters Counters { get; } = new();

        /// <summary>Makes some chains available, or spoils something.</summary>
        public void Act()
        {
            int room = _place.Size - (ushort)(_offered - Model.Queue.NextAvailable);
            for (int count = Math.Min(room, _input.Below(8)); count > 0; count--)
            {
                int head = _nextHead % _place.Size;
                _nextHead += _writer.Write(_input, head, _sends ? 0 : 95);
                if (_sends && _input.Chance(85))
                    StoreHeader(head);
                StoreIndex(_place.Available + 4 + 2 * (_offered % _place.Size), (ushort)head);
                _offered++;
            }
            if (_input.Chance(3))
                _offered += _input.U16();
            if (_input.Chance(3))
                StoreIndex(_place.Available + 4 + 2 * _input.Below(_place.Size), _input.U16());
            StoreIndex(_place.Available + 2, _offered);
            if (_input.Chance(10))
                StoreIndex(_place.Available + _input.Pick(0, 4 + 2 * _place.Size), _input.U16());
        }

        public void Dispose() => End.Dispose();

        /// <summary>A header that may well be right, where the chain's readable bytes begin.</summary>
        private void StoreHeader(int head)
        {
            var chain = ReferenceChain.Walk(Model.Arena, _place, (_features & Features.RingIndirectDescriptors) != 0, head);
            if (!chain.IsGood || chain.ReadableBytes < Model.HeaderBytes)
                return;
            byte[] header = new byte[12];
            var (flags, gso) = _input.Pick((0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (1, 0), (1, 1), (1, 4), (2, 0), (1, 3), (1, 0x81), (0, 1), (7, 5));
            (header[0], header[1]) = ((byte)flags, (byte)gso);
            if (flags != 0 || _input.Chance(20))
                for (int field = 2; field < 10; field += 2)
                    BitConverter.GetBytes(_input.Pick((ushort)_input.Below(16), (ushort)chain.ReadableBytes, _input.U16())).CopyTo(header, field);
            int at = 0;
            foreach (var piece in chain.Readable)
                for (int i = 0; i < piece.Length && at < Model.HeaderBytes; i++)
                    Model.Arena.Store(piece.Offset + i, header.AsSpan(at++, 1));
        }

        private void StoreIndex(int offset, ushort value) => Model.Arena.Store(offset, BitConverter.GetBytes(value));
    }
}
