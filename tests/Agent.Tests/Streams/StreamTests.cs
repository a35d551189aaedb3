using System.Text;
using System.Threading.Channels;
using InterGuest.Agent.Streams;
using InterGuest.Agent.Tests.Fakes;
using InterGuest.Switch.Tests;

namespace InterGuest.Agent.Tests.Streams;

/// <summary>The console (VIRTIO 1.2, 5.3) and the entropy source (5.4), on a device that a test plays.</summary>
public sealed class StreamTests : IDisposable
{
    private readonly FakeGuest _guest = new(FakeDevice.PlainFeatures);

    public void Dispose() => _guest.Dispose();

    [Fact]
    public async Task A_console_carries_bytes_both_ways()
    {
        var input = Channel.CreateUnbounded<byte[]>();
        var output = new MemoryStream();
        Assert.True(input.Writer.TryWrite("typed"u8.ToArray()));
        _guest.Run(new ConsoleRole(input.Reader, output));
        var device = await _guest.DeviceAsync();
        Assert.Equal("typed", Text(Take(device)));
        Wait.Until(() => device.TryPut(0, "shown"u8), "a buffer is posted");
        Assert.True(input.Writer.TryWrite("more"u8.ToArray()));
        device.Wake();
        Assert.Equal("more", Text(Take(device)));
        await _guest.EndAsync();
        Assert.Equal("shown", Text(output.ToArray()));
    }

    [Fact]
    public async Task What_nobody_took_from_a_console_is_sent_again()
    {
        var input = Channel.CreateUnbounded<byte[]>();
        Assert.True(input.Writer.TryWrite("a"u8.ToArray()) && input.Writer.TryWrite("b"u8.ToArray()));
        _guest.Run(new ConsoleRole(input.Reader, new MemoryStream()));
        (await _guest.DeviceAsync()).Lose();
        var again = await _guest.DeviceAsync();
        Assert.Equal("ab", Text(Take(again)) + Text(Take(again)));
    }

    [Fact]
    public async Task Entropy_never_repeats_and_never_ends()
    {
        _guest.Run(new EntropyRole());
        var device = await _guest.DeviceAsync();
        var seen = new HashSet<string>();
        for (int i = 0; i < 3 * EntropyRole.QueueSize; i++)
        {
            byte[] bytes = Take(device);
            Assert.Equal(EntropyRole.BufferBytes, bytes.Length);
            // 1024 bytes that are random miss few of the 256 values: less than 64 of them has no chance worth a name.
            Assert.True(bytes.Distinct().Count() > 192);
            Assert.True(seen.Add(Convert.ToHexString(bytes)));
        }
    }

    private static string Text(byte[] bytes) => Encoding.ASCII.GetString(bytes);

    private static byte[] Take(FakeDevice device)
    {
        byte[]? bytes = null;
        Wait.Until(() => (bytes = device.TryTake(1)) != null, "something is sent");
        return bytes!;
    }
}
