using System.Diagnostics;
using InterGuest.Protos.V1;
using InterGuest.Testing;
using FrontEnd = InterGuest.Virtio.VhostUser.FrontEnd;

namespace InterGuest.Switch.Tests.Ports;

/// <summary>Front-ends come and go a thousand times, whole or broken off in the middle: nothing of them stays in the process.</summary>
[Collection(nameof(AloneCollection))]
public class LeakTests
{
    private const int Ports = 25, CyclesPerPort = 40;
    private static readonly TestGuestOptions Small = new() { MemoryBytes = 1 << 20, ReceiveBuffers = 4 };

    [Fact]
    public void AThousandConnectionsLeaveNothingBehind()
    {
        using var board = new TestSwitch();
        string peerSocket = board.AddPort("peer");
        using var peer = TestGuest.Run(peerSocket, Small);
        Cycle(board, "warm-up", 3);
        GC.Collect(); // what earlier tests forgot is not this one's
        GC.WaitForPendingFinalizers();
        var before = Footprint.Take();
        for (int port = 0; port < Ports; port++)
            Cycle(board, $"p{port}", CyclesPerPort);
        var after = Footprint.Take();
        Assert.Equal((before.Descriptors, before.GuestMappings), (after.Descriptors, after.GuestMappings));
        Assert.InRange(after.Threads - before.Threads, -20, 3); // the runtime's own pool comes and goes
        // A connection's smallest part, its message buffer, has 4 KiB: a thousand of them would be 4 MiB.
        Assert.InRange(after.ManagedBytes - before.ManagedBytes, long.MinValue, 2 << 20);
        Assert.InRange(after.ResidentBytes - before.ResidentBytes, long.MinValue, 32 << 20);
    }

    /// <summary>Connections to one port, each broken off after another message, each fifth whole, with traffic.</summary>
    private static void Cycle(TestSwitch board, string name, int cycles)
    {
        string socket = board.AddPort(name);
        board.AddLink("wire", name, "peer");
        for (int i = 0; i < cycles; i++)
        {
            using (var guest = new TestGuest(Small))
            using (var frontEnd = FrontEnd.Connect(socket, TestGuest.Patience))
            {
                int messages = i % 5 == 0 ? StartSequence.Messages.Count : i * 7 % StartSequence.Messages.Count;
                foreach (var message in StartSequence.Messages.Take(messages))
                    message(frontEnd, guest);
                if (messages == StartSequence.Messages.Count)
                    guest.Send(Frames.Numbered(i, 60));
            }
            board.PortIn(PortState.Listening, name);
        }
        board.Do(b => b.DeleteLink("wire"));
        board.Do(b => b.DeletePort(name));
    }

    /// <summary>What the kernel and the runtime say that this process has.</summary>
    private sealed record Footprint(int Descriptors, int GuestMappings, int Threads, long ManagedBytes, long ResidentBytes)
    {
        public static Footprint Take()
        {
            // Descriptors and mappings are counted before a collection: one that waits for its finalizer is a leak.
            int descriptors = Directory.GetFileSystemEntries("/proc/self/fd").Length;
            int mappings = File.ReadLines("/proc/self/maps").Count(line => line.Contains("memfd:interguest-guest", StringComparison.Ordinal));
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            using var self = Process.GetCurrentProcess();
            return new(descriptors, mappings, self.Threads.Count, GC.GetTotalMemory(forceFullCollection: true), self.WorkingSet64);
        }
    }
}
