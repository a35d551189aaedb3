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
    private const int MaxCopy = 4096;
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

    private sealed class Life : QueueLife
    {
        private readonly PackedQueueFuzzer _fuzzer;
        private readonly GuestPlan _plan;
        private readonly QueuePlace _place;
        private readonly ulong _features;
        private ReferencePackedQueue _model = null!;
        private int _offered;
        private bool _wrap = true;

        public Life(PackedQueueFuzzer fuzzer, GuestPlan plan, QueuePlace place, ulong features, Input input, Tally tally)
            : base(plan.Arena, input, tally)
        {
            (_fuzzer, _plan, _place, _features) = (fuzzer, plan, place, features);
            // What lies there at first are no descriptors.
            plan.Arena.Store(place.Descriptors, new byte[16 * place.Size]);
            Start(Fresh);
        }

        protected override IReferenceQueue Model => _model;

        protected override void Take()
        {
            var (result, ticket, chain) = Pop();
            if (result is PopResult.Empty or PopResult.BadRing)
                return;
            uint written = 0;
            if (result == PopResult.Chain)
            {
                written = (uint)Math.Min(chain!.WritableBytes, Input.Below(MaxCopy));
                byte[] bytes = Input.Pattern((int)written);
                Queue.Write(bytes, Input.Between(1, 5));
                Arena.Write(chain.Writable, bytes);
            }
            Queue.Use(ticket, written);
            _model.Use(ticket, written);
        }

        private (PopResult Result, ChainTicket Ticket, ReferenceChain? Chain) Pop()
        {
            var expected = _model.Pop(out var ticket, out var chain);
            FuzzException.UnlessEqual(expected, Queue.Pop(), chain is { } c ? $"pop of a chain of {c}" : "pop");
            Tally.Count(expected is PopResult.BadChain or PopResult.BadRing ? $"{expected}: {Queue.Fault}" : $"{expected}");
            if (expected == PopResult.BadRing)
                FuzzException.UnlessEqual(_model.RingFault, Queue.Fault, "fault of the ring");
            if (chain == null)
                return (expected, ticket, null);
            FuzzException.UnlessEqual(ticket, Queue.Chain.Ticket, "id and entries of the chain");
            if (expected == PopResult.BadChain)
                FuzzException.Unless(chain.Agrees(Queue.Fault), $"fault of the chain: {chain} by the model, {Queue.Fault} by the code");
            else
                QueueSteps.Compare(Queue.Chain, chain);
            Tally.Saw("pop", (int)expected, (int)Queue.Fault, ticket.Slots);
            return (expected, ticket, chain);
        }

        // As in the other fuzzer: no byte of the input for this.
        protected override void Publish() => Publish(late: (int)(_model.State % 4));

        private void Publish(int late)
        {
            bool? expected = _model.Publish(late);
            bool actual = Queue.Publish(late);
            FuzzException.UnlessEqual(expected ?? actual, actual, "whether the driver wants a call");
        }

        protected override void PopAndRewind()
        {
            var (model, queue) = (_model.Mark, Queue.Mark);
            for (int i = Input.Between(1, 5); i > 0; i--)
                if (Pop().Result is PopResult.Empty or PopResult.BadRing)
                    break;
            _model.Rewind(model);
            Queue.Rewind(queue);
        }

        protected override void Restart()
        {
            Publish(late: 0);
            FuzzException.UnlessEqual(_model.State, Queue.Queue.State, "state of the ring");
            uint at = Input.Chance(80) ? _model.State : Input.U32();
            Queue.Dispose();
            Start(at);
        }

        private void Start(uint at)
        {
            _model = new ReferencePackedQueue(
                Arena, _place, (_features & Features.RingIndirectDescriptors) != 0, (_features & Features.RingEventIndex) != 0, at);
            Queue = QueueUnderTest.TryCreate(Arena.Memory, _place.Layout, _place.Size, _features, at, _fuzzer.Sabotage)
                ?? throw new FuzzException("the queue cannot be made");
        }

        /// <summary>The driver makes chains available, as it should, but for a wrong flag now and then.</summary>
        protected override void Offer()
        {
            for (int count = Input.Between(1, 4); count > 0; count--)
            {
                int entries = Input.Between(1, Math.Min(_place.Size, 6)), readable = Input.Below(entries + 1);
                bool table = entries == 1 && Input.Chance(40);
                ushort id = Input.Byte();
                for (int i = 0; i < entries; i++)
                    OfferOne(table ? Table() : _plan.Buffer(Input), id, table ? GuestPlan.Indirect : Kind(i >= readable, i < entries - 1));
            }
        }

        private void OfferOne((ulong Address, uint Length) buffer, ushort id, int flags)
        {
            if (Input.Chance(4))
                flags ^= 1 << Input.Below(16);
            Store(_place.Descriptors + 16 * _offered, buffer, id, flags | (_wrap ? 1 << 7 : 1 << 15));
            if (++_offered < _place.Size)
                return;
            (_offered, _wrap) = (0, !_wrap);
        }

        private (ulong, uint) Table()
        {
            int entries = Input.Between(1, 6), readable = Input.Below(entries + 1);
            ulong address = _plan.Table(Input, 16 * entries);
            for (int i = 0; i < entries; i++)
            {
                var (buffer, length) = _plan.Buffer(Input);
                int flags = Kind(i >= readable, next: false) | (Input.Chance(3) ? Input.U16() : 0);
                Arena.StoreAt(address + 16 * (ulong)i, GuestPlan.Descriptor(buffer, length, Input.Byte(), flags));
            }
            return (address, Input.Chance(4) ? Input.Pick(16 * 1024u, 16 * 1025u, Input.U32()) : (uint)(16 * entries));
        }

        protected override void Spoil()
        {
            switch (Input.Below(4))
            {
                case 0:
                    Store(_place.Descriptors + 16 * Input.Below(_place.Size), (Input.U64(), Input.U32()), Input.U16(), Input.U16());
                    break;
                case 1:
                    StoreWord(_place.Available, (ushort)(_model.State >> 16) | (uint)Input.Below(4) << 16);
                    break;
                case 2:
                    StoreWord(Input.Pick(_place.Available, _place.Used), Input.U32());
                    break;
                default:
                    Arena.Store(Input.Below(Arena.Bytes), [Input.Byte()]);
                    break;
            }
        }

        private static int Kind(bool write, bool next) => (write ? GuestPlan.Write : 0) | (next ? GuestPlan.Next : 0);

        private void Store(int offset, (ulong Address, uint Length) buffer, int id, int flags) =>
            Arena.Store(offset, GuestPlan.Descriptor(buffer.Address, buffer.Length, id, flags));

        private void StoreWord(int offset, uint word)
        {
            Span<byte> bytes = stackalloc byte[4];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, word);
            Arena.Store(offset, bytes);
        }
    }
}
