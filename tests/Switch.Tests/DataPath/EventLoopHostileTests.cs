using System.Buffers.Binary;
using InterGuest.Switch.DataPath;
using InterGuest.Testing;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Tests.DataPath;

/// <summary>Guests that keep the loop busy or waiting on purpose (DESIGN, promise 1).</summary>
public class EventLoopHostileTests
{
    private const int TableEntries = 16384;

    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Several queues may send to one receive queue. While one of them waits for its buffers, a turn of another that has
    /// nothing to send must leave the request for a kick as it is.
    /// </summary>
    [Fact]
    public void AnIdleQueueDoesNotSilenceTheKickThatAnotherWaitsFor()
    {
        using var sender = new TestGuest(new() { QueuePairs = 2 });
        using var receiver = new TestGuest(new() { ReceiveBuffers = 0 });
        var (sent, received, link) = (new QueueCounters(), new QueueCounters(), new TrafficCounters());
        using var first = Wire.End(sender, sender.Transmit(0), sent);
        using var second = Wire.End(sender, sender.Transmit(1), sent);
        using var target = Wire.End(receiver, receiver.Receive(), received);
        using var fixture = new LoopFixture();
        var joins = new[] { first, second }.Select(end => new NetJoin(end, target, TimeSpan.FromSeconds(60), link)).ToArray();
        fixture.Add(joins);
        fixture.LetItLook(); // while it does, it wants no kick
        var (ring, other) = (new RawRing(receiver, receiver.Receive()), new RawRing(sender, sender.Transmit(0)));

        sender.Transmit(0).Send(default, Frames.Numbered(1, 60));
        Wait.Until(() => !other.WantsKick && ring.WantsKick, "the first queue waits for buffers");
        // A late kick, as any driver makes: what it is about has been taken already.
        long heard = sent.Kicks;
        sender.Transmit(1).Kick.Signal();
        Wait.Until(() => sent.Kicks > heard, "the late kick is heard");
        fixture.LetItLook();
        receiver.Receive().PostBuffers(1, 2048);
        Wait.Until(() => link.Frames == 1, "the frame that waits is delivered when there are buffers", AtOnce);
    }

    /// <summary>
    /// CVE-2019-3900's kind: a receiver whose buffers are all bad, and who makes a new one available for each that is given
    /// back. Other guests of the loop must get their turn.
    /// </summary>
    [Theory]
    [InlineData(TestGuest.PlainFeatures)]
    [InlineData(Wire.Mergeable)]
    public void AnEndlessStreamOfBadBuffersDoesNotHoldTheLoop(ulong features)
    {
        using var wire = new Wire(receiver: new() { Features = features | Features.RingIndirectDescriptors, ReceiveBuffers = 0, QueueSize = 256 });
        using var quiet = new Wire();
        using var fixture = new LoopFixture();
        using var stop = new CancellationTokenSource();
        var hostile = new Thread(() => OfferBadBuffers(wire, stop.Token));
        hostile.Start();
        try
        {
            wire.Sender.Send(Frames.Numbered(1, 60));
            fixture.Add(quiet.Join);
            fixture.Loop.Post(() => fixture.Loop.Add(wire.Join));
            Wait.Until(() => wire.ReceiverCounters.Faults.Sum(f => f.Count) > 300, "the storm blows");
            for (int i = 0; i < 10; i++)
            {
                quiet.Sender.Send(Frames.Numbered(i, 60));
                Wait.Until(() => quiet.Link.Frames > i, "the quiet guest's frame is delivered", AtOnce);
            }
        }
        finally
        {
            stop.Cancel();
            hostile.Join();
        }
        fixture.Remove(wire.Join);
    }

    /// <summary>A table whose last entry alone is bad: the walk to it takes long.</summary>
    private static ulong BadTable(TestGuest guest)
    {
        ulong table = guest.Memory.Allocate(16 * TableEntries);
        for (int i = 0; i < TableEntries; i++)
        {
            bool last = i == TableEntries - 1;
            var entry = guest.Memory.At(table + 16 * (ulong)i, 16);
            BinaryPrimitives.WriteUInt64LittleEndian(entry, last ? 0xdead_0000_0000 : table);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], 1);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[12..], (ushort)(last ? 2 : 3));
            BinaryPrimitives.WriteUInt16LittleEndian(entry[14..], (ushort)(i + 1));
        }
        return table;
    }

    private static void OfferBadBuffers(Wire wire, CancellationToken stop)
    {
        const int size = 256, ahead = 200;
        var ring = wire.ReceivedRing;
        ulong table = BadTable(wire.Receiver);
        for (ushort i = 0; i < size; i++)
        {
            ring.SetDescriptor(i, table, 16 * TableEntries, flags: 4, next: 0);
            ring.SetAvailable(i, i);
        }
        while (!stop.IsCancellationRequested)
        {
            ring.AvailableIndex = (ushort)(ring.UsedIndex + ahead);
            wire.Receiver.Receive().Kick.Signal();
        }
    }
}
