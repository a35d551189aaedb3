using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>Byte for byte what Linux makes of the same packet for a device without offloads.</summary>
public sealed class KernelTests : IDisposable
{
    private readonly TranslatorFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [KernelFact]
    public Task TcpOverIpv4() => AssertAsKernelAsync(udp: false, ipv6: false);

    [KernelFact]
    public Task TcpOverIpv6() => AssertAsKernelAsync(udp: false, ipv6: true);

    [KernelFact]
    public Task UdpOverIpv4() => AssertAsKernelAsync(udp: true, ipv6: false);

    [KernelFact]
    public Task UdpOverIpv6() => AssertAsKernelAsync(udp: true, ipv6: true);

    [KernelFact]
    public async Task PacketsThatWantAChecksumOnly()
    {
        List<(NetHeader, byte[])> packets = [];
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var packet = Packet.Random(random, 1);
            packets.Add((new NetHeader { Flags = 1, ChecksumStart = packet.Header.ChecksumStart, ChecksumOffset = packet.Header.ChecksumOffset }, packet.Frame));
        }
        AssertSame(packets, await Kernel.TranslateAsync(packets));
    }

    private async Task AssertAsKernelAsync(bool udp, bool ipv6)
    {
        var packets = Enumerable.Range(0, 300).Select(seed => Packet.Random(new Random(seed), 120, udp, ipv6)).Select(p => (p.Header, p.Frame)).ToList();
        AssertSame(packets, await Kernel.TranslateAsync(packets));
    }

    private void AssertSame(List<(NetHeader Header, byte[] Frame)> packets, List<List<Made>?> expected)
    {
        var random = new Random(1);
        for (int i = 0; i < packets.Count; i++)
        {
            var (header, frame) = packets[i];
            var (reason, made) = _fixture.Translate(header, frame, TranslatorFixture.RandomPieces(random, frame.Length));
            Assert.Null(reason);
            Assert.True(expected[i] != null, $"the kernel refused packet {i}");
            Assert.Equal(expected[i]!.Select(m => Convert.ToHexString(m.Bytes)), made.Select(m => Convert.ToHexString(m.Bytes)));
            Assert.Equal(expected[i]!.Select(m => m.Header with { HeaderLength = 0 }), made.Select(m => m.Header));
        }
    }
}
