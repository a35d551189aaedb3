using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;
using InterGuest.Virtio.Devices;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>
/// Descriptor chains of a split virtqueue: direct and indirect, over regions that adjoin and regions that do not, good and
/// bad (VIRTIO 1.2, 2.7.5). The model must find the same chain or the same fault; what is read is what lies there; what is
/// written changes the writable pieces and the used ring, and no other byte of the file.
/// </summary>
public sealed class ChainFuzzer(Sabotage sabotage = Sabotage.None) : IFuzzer
{
    internal const string FuzzerName = "chains";
    private const int ChainsPerCase = 6;

    private readonly Arena _arena = new(64 << 10);

    /// <inheritdoc/>
    public string Name => FuzzerName;

    /// <inheritdoc/>
    public void Run(Input input, Tally tally)
    {
        var plan = new GuestPlan(_arena, Apart: false);
        var place = plan.Lay(input, input.Pick(1, 2, 4, 8, 16, 64, 256));
        ulong features = input.Chance(80) ? Features.RingIndirectDescriptors : 0;
        var writer = new ChainWriter(plan, place);
        int[] heads = WriteChains(input, writer, place);

        using var queue = QueueUnderTest.TryCreate(_arena.Memory, place.Layout, place.Size, features, 0, sabotage)
            ?? throw new FuzzException("the queue cannot be made");
        // The ring begins after the random bytes of a fresh memory.
        var model = new ReferenceQueue(_arena, place, features != 0, eventIndex: false, 0);
        foreach (int _ in heads)
            QueueSteps.Take(queue, model, _arena, input, tally);
        QueueSteps.PopOnly(queue, model, tally); // and then it is empty
    }

    /// <inheritdoc/>
    public void Dispose() => _arena.Dispose();

    private int[] WriteChains(Input input, ChainWriter writer, QueuePlace place)
    {
        int[] heads = new int[Math.Min(place.Size, input.Between(1, ChainsPerCase))];
        for (int i = 0, next = input.Below(place.Size); i < heads.Length; i++)
        {
            heads[i] = next % place.Size;
            next += writer.Write(input, heads[i], writablePercent: 30);
            _arena.Store(place.Available + 4 + 2 * i, BitConverter.GetBytes((ushort)heads[i]));
        }
        _arena.Store(place.Available, [0, 0, (byte)heads.Length, 0]);
        return heads;
    }
}
