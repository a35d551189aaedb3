using System.Buffers.Binary;
using System.Text;
using InterGuest.Cli.Capture;

namespace InterGuest.Cli.Tests.Capture;

/// <summary>pcapng, block by block (draft-ietf-opsawg-pcapng, section 4).</summary>
public sealed class PcapngWriterTests : IDisposable
{
    private readonly MemoryStream _file = new();

    public void Dispose() => _file.Dispose();

    [Fact]
    public void AFileIsASectionItsInterfacesAndFrames()
    {
        using (var writer = new PcapngWriter(_file))
        {
            writer.Begin("me", ["a to b", "b to a"], 128);
            writer.Frame(1, 0x1122334455667788, 1500, [1, 2, 3, 4, 5], "why", 7);
            writer.Finish(1, 0x1122334455667788, 9);
        }
        var blocks = Blocks();
        Assert.Equal([0x0a0d0d0au, 1, 1, 6, 5], blocks.Select(b => b.Type));
        Assert.Equal(0x1a2b3c4du, U32(blocks[0].Body, 0));
        Assert.Equal("me", Encoding.UTF8.GetString(Options(blocks[0].Body, 16)[4]));
        Assert.Equal((1, 128u), (blocks[1].Body[0], U32(blocks[1].Body, 4))); // LINKTYPE_ETHERNET
        Assert.Equal("b to a", Encoding.UTF8.GetString(Options(blocks[2].Body, 8)[2]));
        Assert.Equal([9], Options(blocks[2].Body, 8)[9]); // if_tsresol
        byte[] frame = blocks[3].Body;
        Assert.Equal([1, 0x11223344, 0x55667788, 5, 1500], Enumerable.Range(0, 5).Select(i => U32(frame, i * 4)));
        Assert.Equal([1, 2, 3, 4, 5, 0, 0, 0], frame[20..28]);
        Assert.Equal("why", Encoding.UTF8.GetString(Options(frame, 28)[1]));
        Assert.Equal(7ul, BinaryPrimitives.ReadUInt64LittleEndian(Options(frame, 28)[4])); // epb_dropcount
        Assert.Equal(9ul, BinaryPrimitives.ReadUInt64LittleEndian(Options(blocks[4].Body, 12)[5])); // isb_ifdrop
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(65550)]
    public void FramesOfAnyLengthArePadded(int length)
    {
        byte[] data = new byte[length];
        new Random(length).NextBytes(data);
        using (var writer = new PcapngWriter(_file))
        {
            writer.Begin("me", ["x"], 0);
            writer.Frame(0, 1, (uint)length, data, null, 0);
        }
        byte[] body = Blocks()[2].Body;
        Assert.Equal(data, body[20..(20 + length)]);
        Assert.Equal(20 + (length + 3) / 4 * 4, body.Length);
    }

    private List<(uint Type, byte[] Body)> Blocks()
    {
        byte[] file = _file.ToArray();
        var blocks = new List<(uint, byte[])>();
        for (int at = 0; at < file.Length;)
        {
            int length = (int)U32(file, at + 4);
            Assert.Equal(0, length % 4);
            Assert.Equal((uint)length, U32(file, at + length - 4));
            blocks.Add((U32(file, at), file[(at + 8)..(at + length - 4)]));
            at += length;
        }
        return blocks;
    }

    private static Dictionary<ushort, byte[]> Options(byte[] body, int at)
    {
        var options = new Dictionary<ushort, byte[]>();
        while (at < body.Length)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(body.AsSpan(at + 2));
            options.Add(BinaryPrimitives.ReadUInt16LittleEndian(body.AsSpan(at)), body[(at + 4)..(at + 4 + length)]);
            at += 4 + (length + 3) / 4 * 4;
        }
        return options;
    }

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));
}
