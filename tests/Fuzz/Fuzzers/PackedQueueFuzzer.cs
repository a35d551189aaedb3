using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>
/// The life of a packed virtqueue with a driver that does anything (VIRTIO 1.2, 2.8): as <see cref="SplitQueueFuzzer"/>.
/// </summary>
public sealed class PackedQueueFuzzer(Sabotage sabotage = Sabotage.None) : IFuzzer
{
    internal const string FuzzerName = "packed";
    private const int MaxSteps = 200, MaxCopy = 4096;
    private const uint Fresh = 0x8000_8000;

    private readonly Arena _arena = new(64 << 10);

    private Sabotage Sabotage { get; } = sabotage;

    /// <inheritdoc/>
    public string Name => FuzzerName;

    /// <inheritdoc/>
    public void Run(Input input, Tally tally)
    {
        var plan = new GuestPlan(_arena, Apart: false);
        var place = Aligned(plan.Lay(input, input.Pick(1, 2, 3, 4, 7, 16, 64, 255)));
        bool eventIndex = input.Chance(50), indirect = input.Chance(70);
        ulong features = Features.RingPacked | (eventIndex ? Features.RingEventIndex : 0) | (indirect ? Features.RingIndirectDescriptors : 0);
        using var life = new Life(this, plan, place, features, input, tally);
        life.Live();
    }

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    /// <summary>Event suppression structures lie at multiples of 4; there is room, as the split rings' areas are larger.</summary>
    private static QueuePlace Aligned(QueuePlace place)
    {
        int shift = -place.Available & 3;
        return place with { Available = place.Available + shift, Layout = place.Layout with { Available = place.Layout.Available + (uint)shift } };
    }

    private sealed class Life : IDisposable
    {
        private readonly PackedQueueFuzzer _fuzzer;
        private readonly GuestPlan _plan;
        private readonly QueuePlace _place;
        private readonly ulong _features;
        private readonly Input _input;
        private readonly Tally _tally;
        private ReferencePackedQueue _model = null!;
        private QueueUnderTest _queue = null!;
        private int _offered;
        private bool _wrap = true;

        public Life(PackedQueueFuzzer fuzzer, GuestPlan plan, QueuePlace place, ulong features, Input input, Tally tally)
        {
            (_fuzzer, _plan, _place, _features, _input, _tally) = (fuzzer, plan, place, features, input, tally);
            // What lies there at first are no descriptors.
            plan.Arena.Store(place.Descriptors, new byte[16 * place.Size]);
            Start(Fresh);
        }

        public void Live()
        {
            for (int step = 0; step < MaxSteps && !_input.IsEmpty; step++)
            {
                int kind = _input.Below(16);
                _tally.Saw("step", kind, (int)_model.RingFault);
                Do(kind);
                _plan.Arena.Check($"step {step} of kind {kind}");
            }
        }

        public void Dispose() => _queue.Dispose();

        private void Do(int kind)
        {
            switch (kind)
            {
                case <= 3:
                    Offer();
                    break;
                case <= 7:
                    Take();
                    break;
                case 8 or 9:
                    Publish();
                    break;
                case 10:
                    FuzzException.UnlessEqual(_model.EnableKicks(), _queue.EnableKicks(), "whether to look again");
                    break;
                case 11:
                    _model.DisableKicks();
                    _queue.DisableKicks();
                    break;
                case 12:
                    PopAndRewind();
                    break;
                case 13:
                    Restart();
                    break;
                default:
                    Spoil();
                    break;
            }
        }

        private void Take()
        {
            var (result, ticket, chain) = Pop();
            if (result is PopResult.Empty or PopResult.BadRing)
                return;
            uint written = 0;
            if (result == PopResult.Chain)
            {
                written = (uint)Math.Min(chain!.WritableBytes, _input.Below(MaxCopy));
                byte[] bytes = _input.Pattern((int)written);
                _queue.Write(bytes, _input.Between(1, 5));
                _plan.Arena.Write(chain.Writable, bytes);
            }
            _queue.Use(ticket, written);
            _model.Use(ticket, written);
        }

        private (PopResult Result, ChainTicket Ticket, ReferenceChain? Chain) Pop()
        {
            var expected = _model.Pop(out var ticket, out var chain);
            FuzzException.UnlessEqual(expected, _queue.Pop(), chain is { } c ? $"pop of a chain of {c}" : "pop");
            _tally.Count(expected is PopResult.BadChain or PopResult.BadRing ? $"{expected}: {_queue.Fault}" : $"{expected}");
            if (expected == PopResult.BadRing)
                FuzzException.UnlessEqual(_model.RingFault, _queue.Fault, "fault of the ring");
            if (chain == null)
                return (expected, ticket, null);
            FuzzException.UnlessEqual(ticket, _queue.Chain.Ticket, "id and entries of the chain");
            if (expected == PopResult.BadChain)
                FuzzException.Unless(chain.Agrees(_queue.Fault), $"fault of the chain: {chain} by the model, {_queue.Fault} by the code");
            else
                QueueSteps.Compare(_queue.Chain, chain);
            _tally.Saw("pop", (int)expected, (int)_queue.Fault, ticket.Slots);
            return (expected, ticket, chain);
        }

        private void Publish()
        {
            bool? expected = _model.Publish();
            bool actual = _queue.Publish();
            FuzzException.UnlessEqual(expected ?? actual, actual, "whether the driver wants a call");
        }

        private void PopAndRewind()
        {
            var (model, queue) = (_model.Mark, _queue.Mark);
            for (int i = _input.Between(1, 5); i > 0; i--)
                if (Pop().Result is PopResult.Empty or PopResult.BadRing)
                    break;
            _model.Rewind(model);
            _queue.Rewind(queue);
            _tally.Count("rewinds");
        }

        /// <summary>The ring stops and starts again where it was, or elsewhere.</summary>
        private void Restart()
        {
            Publish();
            FuzzException.UnlessEqual(_model.State, _queue.Queue.State, "state of the ring");
            uint at = _input.Chance(80) ? _model.State : _input.U32();
            _queue.Dispose();
            Start(at);
            _tally.Count("restarts");
        }

        private void Start(uint at)
        {
            _model = new ReferencePackedQueue(
                _plan.Arena, _place, (_features & Features.RingIndirectDescriptors) != 0, (_features & Features.RingEventIndex) != 0, at);
            _queue = QueueUnderTest.TryCreate(_plan.Arena.Memory, _place.Layout, _place.Size, _features, at, _fuzzer.Sabotage)
                ?? throw new FuzzException("the queue cannot be made");
        }

        /// <summary>The driver makes chains available, as it should, but for a wrong flag now and then.</summary>
        private void Offer()
        {
            for (int count = _input.Between(1, 4); count > 0; count--)
            {
                int entries = _input.Between(1, Math.Min(_place.Size, 6)), readable = _input.Below(entries + 1);
                bool table = entries == 1 && _input.Chance(40);
                ushort id = _input.Byte();
                for (int i = 0; i < entries; i++)
                    OfferOne(table ? Table() : _plan.Buffer(_input), id, table ? GuestPlan.Indirect : Kind(i >= readable, i < entries - 1));
            }
        }

        private void OfferOne((ulong Address, uint Length) buffer, ushort id, int flags)
        {
            if (_input.Chance(4))
                flags ^= 1 << _input.Below(16);
            Store(_place.Descriptors + 16 * _offered, buffer, id, flags | (_wrap ? 1 << 7 : 1 << 15));
            if (++_offered < _place.Size)
                return;
            (_offered, _wrap) = (0, !_wrap);
        }

        private (ulong, uint) Table()
        {
            int entries = _input.Between(1, 6), readable = _input.Below(entries + 1);
            ulong address = _plan.Table(_input, 16 * entries);
            for (int i = 0; i < entries; i++)
            {
                var (buffer, length) = _plan.Buffer(_input);
                int flags = Kind(i >= readable, next: false) | (_input.Chance(3) ? _input.U16() : 0);
                _plan.Arena.StoreAt(address + 16 * (ulong)i, GuestPlan.Descriptor(buffer, length, _input.Byte(), flags));
            }
            return (address, _input.Chance(4) ? _input.U32() : (uint)(16 * entries));
        }

        private void Spoil()
        {
            switch (_input.Below(4))
            {
                case 0:
                    Store(_place.Descriptors + 16 * _input.Below(_place.Size), (_input.U64(), _input.U32()), _input.U16(), _input.U16());
                    break;
                case 1:
                    StoreWord(_place.Available, (ushort)(_model.State >> 16) | (uint)_input.Below(4) << 16);
                    break;
                case 2:
                    StoreWord(_input.Pick(_place.Available, _place.Used), _input.U32());
                    break;
                default:
                    _plan.Arena.Store(_input.Below(_plan.Arena.Bytes), [_input.Byte()]);
                    break;
            }
            _tally.Count("fields spoilt");
        }

        private static int Kind(bool write, bool next) => (write ? GuestPlan.Write : 0) | (next ? GuestPlan.Next : 0);

        private void Store(int offset, (ulong Address, uint Length) buffer, int id, int flags) =>
            _plan.Arena.Store(offset, GuestPlan.Descriptor(buffer.Address, buffer.Length, id, flags));

        private void StoreWord(int offset, uint word)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, word);
            _plan.Arena.Store(offset, bytes);
        }
    }
}
