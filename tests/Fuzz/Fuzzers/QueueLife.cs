using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Guests;
using InterGuest.Fuzz.Model;

namespace InterGuest.Fuzz.Fuzzers;

/// <summary>One queue from start to stop, and perhaps to another start: what device and driver do by turns, beside a model.</summary>
internal abstract class QueueLife(Arena arena, Input input, Tally tally) : IDisposable
{
    private const int MaxSteps = 200;

    protected Arena Arena => arena;

    protected Input Input => input;

    protected Tally Tally => tally;

    protected QueueUnderTest Queue { get; set; } = null!;

    protected abstract IReferenceQueue Model { get; }

    /// <summary>Goes on until the input is used up; after each step every byte of the file is compared.</summary>
    public void Live()
    {
        for (int step = 0; step < MaxSteps && !input.IsEmpty; step++)
        {
            int kind = input.Below(16);
            tally.Saw("step", kind, (int)Model.RingFault);
            Do(kind);
            arena.Check($"step {step} of kind {kind}");
        }
    }

    public void Dispose() => Queue.Dispose();

    /// <summary>The driver makes chains available.</summary>
    protected abstract void Offer();

    /// <summary>The device takes a chain and gives it back.</summary>
    protected abstract void Take();

    /// <summary>It shows the driver what it gave back.</summary>
    protected abstract void Publish();

    /// <summary>Some chains are taken, and put back unused.</summary>
    protected abstract void PopAndRewind();

    /// <summary>The ring stops and starts again where it was, or elsewhere.</summary>
    protected abstract void Restart();

    /// <summary>The driver spoils something.</summary>
    protected abstract void Spoil();

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
                FuzzException.UnlessEqual(Model.EnableKicks(), Queue.EnableKicks(), "whether to look again");
                break;
            case 11:
                Model.DisableKicks();
                Queue.DisableKicks();
                break;
            case 12:
                PopAndRewind();
                tally.Count("rewinds");
                break;
            case 13:
                Restart();
                tally.Count("restarts");
                break;
            default:
                Spoil();
                tally.Count("fields spoilt");
                break;
        }
    }
}
