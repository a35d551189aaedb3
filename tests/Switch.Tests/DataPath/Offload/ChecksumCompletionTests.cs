using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath.Offload;

/// <summary>Checksums left to the device (VIRTIO 1.2, 5.1.6.2: csum_start, csum_offset) for a receiver that wants them complete.</summary>
public sealed class ChecksumCompletionTests : IDisposable
{
    private readonly TranslatorFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void WhereverItStartsAndLies()
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            byte[] frame = Frames.Numbered(seed, random.Next(60, 3000));
            int start = random.Next(14, 50);
            int offset = random.Next(0, frame.Length - start - 1);
            var header = new NetHeader { Flags = 1, ChecksumStart = (ushort)start, ChecksumOffset = (ushort)offset };
            var (reason, made) = _fixture.Translate(header, frame, TranslatorFixture.RandomPieces(random, frame.Length));
            if (start + offset + 2 > 1024)
            {
                Assert.Equal(DropReason.BadOffload, reason); // no protocol has its checksum so far behind
                continue;
            }
            ushort checksum = (ushort)~Packet.Sum(frame.AsSpan(start));
            byte[] expected = [.. frame];
            expected[start + offset] = (byte)(checksum >> 8);
            expected[start + offset + 1] = (byte)checksum;
            Assert.Equal(expected, Assert.Single(made).Bytes);
            Assert.Equal(default, made[0].Header);
        }
    }

    [Fact]
    public void AChecksumOfZeroIsWrittenAsItsOtherForm()
    {
        // RFC 768: 0 would say that there is none.
        byte[] frame = new byte[60];
        frame[14] = frame[15] = 0xff;
        var header = new NetHeader { Flags = 1, ChecksumStart = 14, ChecksumOffset = 6 };
        var made = Assert.Single(_fixture.Translate(header, frame, [17, int.MaxValue]).Frames);
        Assert.Equal([0xff, 0xff], made.Bytes[20..22]);
    }

    [Fact]
    public void NothingIsDoneForAReceiverThatTakesThemIncomplete()
    {
        byte[] frame = Frames.Numbered(1, 100);
        var header = new NetHeader { Flags = 1, ChecksumStart = 14, ChecksumOffset = 6 };
        var made = Assert.Single(_fixture.Translate(header, frame, [50], Features.NetGuestChecksum).Frames);
        Assert.Equal((header, 0L), (made.Header, _fixture.Translator.BytesSummed));
        Assert.Equal(frame, made.Bytes);
    }
}
