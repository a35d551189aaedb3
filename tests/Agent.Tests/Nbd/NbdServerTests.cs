using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using InterGuest.Agent.Block;
using InterGuest.Agent.Nbd;
using InterGuest.Agent.Tests.Block;
using InterGuest.Agent.Tests.Fakes;
using InterGuest.Switch.Tests;
using InterGuest.Virtio.Devices;

namespace InterGuest.Agent.Tests.Nbd;

/// <summary>The NBD server (doc/proto.md of the Network Block Device project), with QEMU's client and with a hostile one.</summary>
public sealed class NbdServerTests : IDisposable
{
    private const int DiskBytes = 4 << 20;

    private readonly byte[] _disk = new byte[DiskBytes];
    private readonly TemporaryDirectory _directory = new();
    private readonly FakeGuest _guest = new(
        FakeDevice.PlainFeatures | Features.BlockSize | Features.BlockFlush | Features.BlockDiscard | Features.BlockWriteZeroes, FakeBlockDevice.Configuration(DiskBytes));

    private readonly CancellationTokenSource _cancel = new();
    private readonly AttachBlockRole _role;
    private readonly string _socket;
    private readonly FakeBlockDevice _backEnd;
    private readonly Task _server;

    public NbdServerTests()
    {
        FakeDevice? device = null;
        _role = new AttachBlockRole(() => device?.Wake());
        _guest.Run(_role);
        device = _guest.DeviceAsync().GetAwaiter().GetResult();
        _backEnd = new FakeBlockDevice(device, _disk).Run();
        _socket = _directory.At("nbd.sock");
        _role.Ready.GetAwaiter().GetResult();
        _server = new NbdServer(_socket, new NbdDisk(_role), new AgentLog(_guest.Log)).RunAsync(_cancel.Token);
    }

    public void Dispose()
    {
        _cancel.Cancel();
        _server.GetAwaiter().GetResult();
        _backEnd.Dispose(); // before its device
        _guest.Dispose();
        _role.End();
        Assert.False(File.Exists(_socket));
        _directory.Dispose();
        _cancel.Dispose();
    }

    [QemuFact]
    public void Qemu_io_writes_reads_trims_and_zeroes()
    {
        string output = Run("qemu-io", "-f", "raw", Uri(), "-c", "write -P 17 0 1M", "-c", "write -f -P 18 1M 64k", "-c", "flush",
            "-c", "write -z 4k 8k", "-c", "discard 256k 64k", "-c", "read -P 17 0 4k", "-c", "read -P 0 4k 8k", "-c", "read -P 18 1M 64k", "-c", "read -P 0 256k 64k");
        Assert.DoesNotContain("ailed", output, StringComparison.Ordinal);
        Assert.Equal(17, _disk[0]);
        Assert.Equal(18, _disk[1 << 20]);
        Assert.Equal(0, _disk[4096]);
        Assert.Equal(0, _disk[256 << 10]);
        Assert.Contains(BlockOperation.Flush, _backEnd.Done);
        Assert.Contains(BlockOperation.Discard, _backEnd.Done);
    }

    [QemuFact]
    public void Qemu_img_copies_an_image_there_and_back()
    {
        string image = _directory.At("image"), back = _directory.At("back");
        byte[] bytes = new byte[DiskBytes];
        new Random(5).NextBytes(bytes);
        File.WriteAllBytes(image, bytes);
        Run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", "-m", "8", "-W", image, Uri());
        Run("qemu-img", "convert", "-f", "raw", "-O", "raw", Uri(), back);
        Assert.Equal(bytes, _disk);
        Assert.Equal(bytes, File.ReadAllBytes(back));
        Assert.Contains("\"virtual-size\": 4194304", Run("qemu-img", "info", "--output", "json", Uri()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_oldest_way_in_works_too()
    {
        await using var stream = await ConnectAsync(clientFlags: 1);
        await stream.WriteAsync(Option(NbdProtocol.ExportName, []));
        byte[] export = new byte[10 + 124];
        await stream.ReadExactlyAsync(export);
        Assert.Equal((ulong)DiskBytes, BinaryPrimitives.ReadUInt64BigEndian(export));
        Assert.All(export[10..], b => Assert.Equal(0, b));
        await stream.WriteAsync(Request(NbdProtocol.Read, 512, 512));
        byte[] reply = new byte[NbdProtocol.ReplyBytes + 512];
        await stream.ReadExactlyAsync(reply);
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(4)));
        Assert.Equal(0xabcdef, (long)BinaryPrimitives.ReadUInt64BigEndian(reply.AsSpan(8)));
    }

    [Fact]
    public async Task An_export_that_there_is_not_is_refused_by_name()
    {
        await using var stream = await ConnectAsync();
        await stream.WriteAsync(Option(NbdProtocol.Go, [0, 0, 0, 1, (byte)'x', 0, 0]));
        Assert.Equal(NbdProtocol.Unknown, await OptionReplyAsync(stream));
        await stream.WriteAsync(Option(NbdProtocol.Go, [0, 0, 9, 9, 0, 0]));
        Assert.Equal(NbdProtocol.Invalid, await OptionReplyAsync(stream));
        await stream.WriteAsync(Option(77, [1, 2, 3]));
        Assert.Equal(NbdProtocol.Unsupported, await OptionReplyAsync(stream));
        await stream.WriteAsync(Option(NbdProtocol.Abort, []));
        Assert.Equal(NbdProtocol.Acknowledged, await OptionReplyAsync(stream));
        await EndsAsync(stream);
    }

    [Fact]
    public async Task A_client_that_talks_nonsense_is_disconnected_and_others_are_served()
    {
        await using var bad = await ConnectAsync();
        await bad.WriteAsync(new byte[64]);
        await EndsAsync(bad);
        await using var worse = await ConnectAsync();
        await worse.WriteAsync(Option(NbdProtocol.ExportName, []));
        await worse.ReadExactlyAsync(new byte[10]);
        await worse.WriteAsync(Request(NbdProtocol.Write, 0, uint.MaxValue));
        await EndsAsync(worse);
        await The_oldest_way_in_works_too();
    }

    [Fact]
    public async Task A_read_that_is_too_long_is_an_error()
    {
        await using var stream = await ConnectAsync();
        await stream.WriteAsync(Option(NbdProtocol.ExportName, []));
        await stream.ReadExactlyAsync(new byte[10]);
        await stream.WriteAsync(Request(NbdProtocol.Read, 0, NbdProtocol.MaxPayload + 512));
        byte[] reply = new byte[NbdProtocol.ReplyBytes];
        await stream.ReadExactlyAsync(reply);
        Assert.Equal(NbdProtocol.EINVAL, BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(4)));
    }

    private static byte[] Option(uint option, byte[] data)
    {
        byte[] bytes = new byte[16 + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, NbdProtocol.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(12), (uint)data.Length);
        data.CopyTo(bytes, 16);
        return bytes;
    }

    private static byte[] Request(ushort command, ulong offset, uint length)
    {
        byte[] bytes = new byte[NbdProtocol.RequestBytes];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, NbdProtocol.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), command);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), 0xabcdef);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), offset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(24), length);
        return bytes;
    }

    private static async Task<uint> OptionReplyAsync(Stream stream)
    {
        byte[] head = new byte[20];
        await stream.ReadExactlyAsync(head);
        await stream.ReadExactlyAsync(new byte[BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(16))]);
        return BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12));
    }

    private static async Task EndsAsync(Stream stream)
    {
        try
        {
            Assert.Equal(0, await Wait.ForAsync(stream.ReadAsync(new byte[1]).AsTask(), "the server disconnects"));
        }
        catch (IOException)
        {
            // With bytes of ours unread it is a reset.
        }
    }

    private async Task<Stream> ConnectAsync(uint clientFlags = 3)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket));
        var stream = new NetworkStream(socket, ownsSocket: true);
        await stream.ReadExactlyAsync(new byte[18]);
        byte[] flags = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(flags, clientFlags);
        await stream.WriteAsync(flags);
        return stream;
    }

    private string Uri() => $"nbd+unix:///?socket={_socket}";

    private static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program}: {output} {error.Result}");
        return output;
    }
}
