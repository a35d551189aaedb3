using InterGuest.Switch.DataPath;
using InterGuest.Switch.DataPath.Offload;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>A frame that a translator made.</summary>
/// <param name="Header">In front of it.</param>
/// <param name="Bytes">The frame.</param>
internal sealed record Made(NetHeader Header, byte[] Bytes);

/// <summary>A translator, and a guest in whose memory the frames lie.</summary>
internal sealed class TranslatorFixture : IDisposable
{
    private readonly TestGuest _guest = new(new() { QueueSize = 128, ReceiveBuffers = 0, MemoryBytes = 16 << 20 });
    private readonly QueueEnd _end;
    private readonly Chain _chain = new();

    public TranslatorFixture() => _end = Wire.End(_guest, _guest.Transmit(), new QueueCounters());

    public Translator Translator { get; } = new();

    /// <summary>What is made of a frame that lies in pieces of the given lengths, over and over.</summary>
    /// <returns>Null with a reason, or frames.</returns>
    public (DropReason? Reason, List<Made> Frames) Translate(
        NetHeader header, byte[] frame, IReadOnlyList<int> pieces, ulong features = 0, int mtu = int.MaxValue)
    {
        _guest.Transmit().SendIn(header, frame, pieces);
        Assert.Equal(PopResult.Chain, _end.Queue.TryPop(_chain));
        var made = new List<Made>();
        var cursor = _chain.Readable;
        cursor.Advance((ulong)_guest.HeaderBytes);
        var reason = Translator.Begin(header, cursor, features, mtu);
        if (reason == null)
        {
            do
            {
                byte[] payload = new byte[Translator.PayloadBytes];
                var from = Translator.Payload;
                Assert.Equal(payload.Length, from.Read(payload));
                made.Add(new Made(Translator.Header, [.. Translator.Front, .. payload]));
                Assert.Equal(made.Count - 1, Translator.Index);
                Assert.Equal(made[^1].Bytes.Length, Translator.FrameBytes);
            }
            while (Translator.MoveNext());
            Assert.Equal(made.Count, Translator.Count);
            Assert.False(Translator.MoveNext());
        }
        _end.Queue.AddUsed(_chain.Ticket, 0);
        _end.Publish();
        _guest.Transmit().NextUsed();
        return (reason, made);
    }

    /// <summary>Lengths that cut a frame in at most 64 pieces, some of them empty, some in the middle of a word.</summary>
    public static int[] RandomPieces(Random random, int frameBytes) => random.Next(3) switch
    {
        0 => [int.MaxValue],
        1 => [random.Next(1, 20), random.Next(1, 60), 0, random.Next(1, 60), int.MaxValue],
        _ => [.. Enumerable.Range(0, 40).Select(_ => random.Next(0, 2 * (frameBytes / 40) + 3)), frameBytes],
    };

    public void Dispose()
    {
        _chain.Dispose();
        _end.Dispose();
        _guest.Dispose();
    }
}
