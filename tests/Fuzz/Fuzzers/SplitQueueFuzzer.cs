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
    private const int MaxSteps = 200;

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
        var life = new Life(this, plan, place, features, start, input, tally);
        try
        {
            life.Live();
        }
        finally
        {
            life.Queue.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    /// <summary>One queue from start to stop, and perhaps to another start.</summary>
    private sealed class Life(SplitQueueFuzzer fuzzer, GuestPlan plan, QueuePlace place, ulong features, ushort start, Input input, Tally tally)
    {
        private readonly Arena _arena = plan.Arena;
        private readonly ChainWriter _writer = new(plan, place);
        private ReferenceQueue _model = Model(plan.Arena, place, features, start);
        private ushort _offered = start;
        private int _nextHead;

        public QueueUnderTest Queue { get; private set; } = Start(fuzzer, plan.Arena, place, features, start);

        public void Live()
        {
            for (int step = 0; step < MaxSteps && !input.IsEmpty; step++)
            {
                int kind = input.Below(16);
                tally.Saw("step", kind, (int)_model.RingFault);
                Do(kind);
                _arena.Check($"step {step} of kind {kind}");
            }
        }

        private void Do(int kind)
        {
            switch (kind)
            {
                case <= 3:
                    Offer();
                    break;
                case <= 7:
                    QueueSteps.Take(Queue, _model, _arena, input, tally, publish: false);
                    break;
                case 8 or 9:
                    QueueSteps.Publish(Queue, _model);
                    break;
                case 10:
                    FuzzException.UnlessEqual(_model.EnableKicks(), Queue.EnableKicks(), "whether to look again");
                    break;
                case 11:
                    _model.DisableKicks();
                    Queue.DisableKicks();
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

        /// <summary>The driver makes chains available, as it should.</summary>
        private void Offer()
        {
            for (int count = input.Between(1, Math.Min(4, place.Size)); count > 0; count--)
            {
                int head = _nextHead % place.Size;
                _nextHead += _writer.Write(input, head, writablePercent: 30);
                StoreIndex(place.Available + 4 + 2 * (_offered % place.Size), (ushort)head);
                _offered++;
            }
            StoreIndex(place.Available + 2, _offered);
        }

        /// <summary>Some chains are taken, and put back unused.</summary>
        private void PopAndRewind()
        {
            var (model, queue) = (_model.Mark, Queue.Mark);
            for (int i = input.Between(1, 5); i > 0; i--)
                if (QueueSteps.PopOnly(Queue, _model, tally).Result is PopResult.Empty or PopResult.BadRing)
                    break;
            _model.Rewind(model);
            Queue.Rewind(queue);
            tally.Count("rewinds");
        }

        /// <summary>The ring stops and starts again where it was, or elsewhere.</summary>
        private void Restart()
        {
            QueueSteps.Publish(Queue, _model);
            ushort at = input.Chance(80) ? _model.NextAvailable : input.U16();
            Queue.Dispose();
            Queue = Start(fuzzer, _arena, place, features, at);
            _model = Model(_arena, place, features, at);
            tally.Count("restarts");
        }

        private void Spoil()
        {
            switch (input.Below(6))
            {
                case 0:
                    StoreIndex(place.Available + 2, _offered = (ushort)(_offered + input.Pick(1, -1, place.Size, place.Size + 1, -place.Size, 32768, input.U16())));
                    break;
                case 1:
                    StoreIndex(place.Available + 4 + 2 * input.Below(place.Size), input.Pick((ushort)place.Size, (ushort)(place.Size - 1), ushort.MaxValue, input.U16()));
                    break;
                case 2:
                    StoreIndex(place.Available + input.Pick(0, 4 + 2 * place.Size), (ushort)(_model.NextUsed + (sbyte)input.Byte()));
                    break;
                case 3:
                    _arena.Store(place.Used + input.Below(6 + 8 * place.Size), [input.Byte()]);
                    break;
                case 4:
                    _arena.Store(place.Descriptors + 16 * input.Below(place.Size), GuestPlan.Descriptor(input.U64(), input.U32(), input.U16(), input.U16()));
                    break;
                default:
                    _arena.Store(input.Below(_arena.Bytes), [input.Byte()]);
                    break;
            }
            tally.Count("fields spoilt");
        }

        private void StoreIndex(int offset, ushort value)
        {
            Span<byte> bytes = stackalloc byte[2];
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
            _arena.Store(offset, bytes);
        }

        private static ReferenceQueue Model(Arena arena, QueuePlace place, ulong features, ushort start) => new(
            arena, place, (features & Features.RingIndirectDescriptors) != 0, (features & Features.RingEventIndex) != 0, start);

        private static QueueUnderTest Start(SplitQueueFuzzer fuzzer, Arena arena, QueuePlace place, ulong features, ushort start) =>
            QueueUnderTest.TryCreate(arena.Memory, place.Layout, place.Size, features, start, fuzzer.Sabotage)
            ?? throw new FuzzException("the queue cannot be made");
    }
}
