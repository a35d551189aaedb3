using InterGuest.Testing;
using PortState = InterGuest.Protos.V1.PortState;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>A front-end may cut the memory file that it shares, in the middle of everything: it stops itself alone.</summary>
public sealed class LostMemoryTests : IDisposable
{
    private const int Bytes = 4 << 20;
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(Virtio.Devices.Features.RingEventIndex)]
    public void Promise_1_A_guest_that_cuts_its_memory_while_it_runs_is_stopped_alone(ulong features)
    {
        string path = _switch.Directory.At("memory");
        File.WriteAllBytes(path, new byte[Bytes]);
        var (a, b) = _switch.Join(new TestGuestOptions { Features = TestGuest.PlainFeatures | features, MemoryFile = StrangeFile.Open(path), MemoryBytes = Bytes });
        string c = _switch.AddPort("c"), d = _switch.AddPort("d");
        _switch.AddLink("other", "c", "d");
        using var first = TestGuest.Run(c);
        using var second = TestGuest.Run(d);
        using (a)
        using (b)
        {
            a.Send(Frames.Numbered(1, 100));
            Assert.Equal(Frames.Numbered(1, 100), b.ReceiveFrame());

            using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
                file.SetLength(0);
            // Its kick makes the switch look at rings that are gone.
            a.Transmit().Kick.Signal();
            var port = _switch.PortIn(PortState.Faulted, "a");
            Assert.Contains("MemoryLost", port.Fault, StringComparison.Ordinal);

            // The peer is well, and so are others.
            Assert.Equal(PortState.Running, _switch.Port("b").State);
            first.Send(Frames.Numbered(2, 200));
            Assert.Equal(Frames.Numbered(2, 200), second.ReceiveFrame());
        }
        // A new guest on the same port is a new beginning.
        _switch.PortIn(PortState.Faulted, "a");
        using var again = TestGuest.Run(_switch.Port("a").SocketPath);
        _switch.PortIn(PortState.Running, "a");
    }
}
