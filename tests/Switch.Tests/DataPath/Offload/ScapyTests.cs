namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>Lengths and checksums of segments are what a packet library computes for them.</summary>
public sealed class ScapyTests : IDisposable
{
    private readonly TranslatorFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [ScapyFact]
    public async Task SegmentsAreAsScapyMakesThem()
    {
        List<string> frames = [];
        for (int seed = 0; seed < 100; seed++)
        {
            var random = new Random(seed);
            // Scapy reads what is inside routing headers and random options; the kernel's test has those.
            var shape = new PacketShape
            {
                Tags = random.Next(3),
                Ipv6 = random.Next(2) == 0,
                Udp = random.Next(2) == 0,
                Extensions = [.. Enumerable.Range(0, random.Next(3)).Select(_ => ((byte)60, random.Next(3)))],
                TcpFlags = (byte)random.Next(256),
                SegmentBytes = random.Next(1, 2000),
            };
            var packet = shape.Build(random, random.Next(1, shape.SegmentBytes * 4));
            var (reason, made) = _fixture.Translate(packet.Header, packet.Frame, TranslatorFixture.RandomPieces(random, packet.Frame.Length));
            Assert.Null(reason);
            frames.AddRange(made.Select(m => Convert.ToHexString(m.Bytes)));
        }
        var answers = await Kernel.AskAsync("scapy_check.py", frames);
        Assert.All(answers, answer => Assert.Equal("ok", answer));
        Assert.InRange(answers.Count, 200, 400);
    }
}
