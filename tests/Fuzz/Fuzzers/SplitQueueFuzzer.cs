using System.Buffers.Binary;
using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>
/// The life of a split virtqueue with a driver that does anything (VIRTIO 1.2, 2.7): its index jumps, heads and event fields
/// are any number, descriptors change while chains are out, the used ring is scribbled over. Queue and model do the same;
/// after each step every byte of the file is compared.
/// </summary>
public sealed class SplitQueueFuzzer(Sabotage sabotage = Sabotage.None) : IFuzzer
{
    internal const string FuzzerName = "split";

    private readonly Arena _arena = new(64 << 10);

    private Sabotage Sabotage { get; } = sabotage;

    /// <inheritdoc/>
    public string Name => FuzzerName;

    /// <inheritdoc/>
    public void Run(Input input, Tally tally)
    {
        var plan = new GuestPlan(_arena, Apart: false);
        var place = plan.Lay(input, input.Pick(1, 2, 4, 8, 16, 64, 256, 1024));
        bool eventIndex = input.Chance(50), indirect = input.Chance(70);
        ulong features = (eventIndex ? Features.RingEventIndex : 0) | (indirect ? Features.RingIndirectDescriptors : 0);
        // Near the wrap of the index, or anywhere.
        ushort start = (ushort)(input.Chance(50) ? -input.Below(8) : input.U16());
        _arena.Store(place.Available, [0, 0, (byte)start, (byte)(start >> 8)]);
        using var life = new Life(this, plan, place, features, start, input, tally);
        life.Live();
    }

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    private sealed class Life : QueueLife
    {
        private readonly SplitQueueFuzzer _fuzzer;
        private readonly QueuePlace _place;
        private readonly ulong _features;
        private readonly ChainWriter _writer;
        private ReferenceQueue _model = null!;
        private ushort _offered;
        private int _nextHead;

        public Life(SplitQueueFuzzer fuzzer, GuestPlan plan, QueuePlace place, ulong features, ushort start, Input input, Tally tally)
            : base(plan.Arena, input, tally)
        {
            (_fuzzer, _place, _features, _writer, _offered) = (fuzzer, place, features, new ChainWriter(plan, place), start);
            Start(start);
        }

        protected override IReferenceQueue Model => _model;

        protected override void Take() => QueueSteps.Take(Queue, _model, Arena, Input, Tally, publish: false);

        // How late the last ones may be shown needs no byte of the input: all that is kept would mean something else.
        protected override void Publish() => QueueSteps.Publish(Queue, _model, late: _model.NextUsed % 4);

        /// <summary>The driver makes chains available, as it should.</summary>
        protected override void Offer()
        {
            for (int count = Input.Between(1, Math.Min(4, _place.Size)); count > 0; count--)
            {
                int head = _nextHead % _place.Size;
                _nextHead += _writer.Write(Input, head, writablePercent: 30);
                StoreIndex(_place.Available + 4 + 2 * (_offered % _place.Size), (ushort)head);
                _offered++;
            }
            StoreIndex(_place.Available + 2, _offered);
        }

        protected override void PopAndRewind()
        {
            var (model, queue) = (_model.Mark, Queue.Mark);
            for (int i = Input.Between(1, 5); i > 0; i--)
                if (QueueSteps.PopOnly(Queue, _model, Tally).Result is PopResult.Empty or PopResult.BadRing)
                    break;
            _model.Rewind(model);
            Queue.Rewind(queue);
        }

        protected override void Restart()
        {
            QueueSteps.Publish(Queue, _model);
            ushort at = Input.Chance(80) ? _model.NextAvailable : Input.U16();
            Queue.Dispose();
            Start(at);
        }

        protected override void Spoil()
        {
            switch (Input.Below(6))
            {
                case 0:
                    StoreIndex(_place.Available + 2, _offered = (ushort)(_offered + Input.Pick(1, -1, _place.Size, _place.Size + 1, -_place.Size, 32768, Input.U16())));
                    break;
                case 1:
                    StoreIndex(_place.Available + 4 + 2 * Input.Below(_place.Size), Input.Pick((ushort)_place.Size, (ushort)(_place.Size - 1), ushort.MaxValue, Input.U16()));
                    break;
                case 2:
                    StoreIndex(_place.Available + Input.Pick(0, 4 + 2 * _place.Size), (ushort)(_model.NextUsed + (sbyte)Input.Byte()));
                    break;
                case 3:
                    Arena.Store(_place.Used + Input.Below(6 + 8 * _place.Size), [Input.Byte()]);
                    break;
                case 4:
                    Arena.Store(_place.Descriptors + 16 * Input.Below(_place.Size), GuestPlan.Descriptor(Input.U64(), Input.U32(), Input.U16(), Input.U16()));
                    break;
                default:
                    Arena.Store(Input.Below(Arena.Bytes), [Input.Byte()]);
                    break;
            }
        }

        private void StoreIndex(int offset, ushort value)
        {
            Span<byte> bytes = stackalloc byte[2];
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
            Arena.Store(offset, bytes);
        }

        private void Start(ushort at)
        {
            _model = new ReferenceQueue(
                Arena, _place, (_features & Features.RingIndirectDescriptors) != 0, (_features & Features.RingEventIndex) != 0, at);
            Queue = QueueUnderTest.TryCreate(Arena.Memory, _place.Layout, _place.Size, _features, at, _fuzzer.Sabotage)
                ?? throw new FuzzException("the queue cannot be made");
        }
    }
}
