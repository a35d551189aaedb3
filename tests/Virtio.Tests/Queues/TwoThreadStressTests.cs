using System.Buffers.Binary;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>A driver and a device at full speed, both of which sleep whenever they may: a lost wake-up would be for ever.</summary>
public class TwoThreadStressTests
{
    private const int ItemBytes = 8;

    [Theory]
    [InlineData(0UL, 256, 1_000_000)]
    [InlineData(Features.RingEventIndex, 256, 1_000_000)]
    [InlineData(0UL, 2, 60_000)]
    [InlineData(Features.RingEventIndex, 2, 60_000)]
    [InlineData(Features.RingEventIndex, 1, 70_000)]
    [InlineData(Features.RingPacked, 256, 1_000_000)]
    [InlineData(Features.RingPacked | Features.RingEventIndex, 256, 1_000_000)]
    [InlineData(Features.RingPacked | Features.RingEventIndex, 3, 60_000)]
    [InlineData(Features.RingPacked | Features.RingEventIndex, 1, 70_000)]
    public async Task NoChainAndNoWakeUpIsLost(ulong features, int size, int chains)
    {
        using var queue = new TwoSidedQueue(size, features);
        using EventFd kick = EventFd.Create(), call = EventFd.Create();
        var device = Task.Factory.StartNew(() => Serve(queue, kick, call, chains), TaskCreationOptions.LongRunning);
        var driver = Task.Factory.StartNew(() => Drive(queue, kick, call, chains), TaskCreationOptions.LongRunning);
        await await Task.WhenAny(device, driver);
        await Task.WhenAll(device, driver);
    }

    /// <summary>Sends numbers in bursts of random length; the device adds one to each.</summary>
    private static void Drive(TwoSidedQueue queue, EventFd kick, EventFd call, int chains)
    {
        var driver = queue.Driver;
        var random = new Random(driver.Size);
        DriverBuffer[] numbers = [.. Enumerable.Range(0, driver.Size).Select(_ => queue.Room(2 * ItemBytes))];
        using var waiting = new Waiting(call.Descriptor);
        int sent = 0, done = 0;
        while (done < chains)
        {
            int burst = Math.Min(random.Next(1, 2 * driver.Size + 1), chains - sent);
            for (; burst > 0 && TrySend(queue, numbers, sent); burst--)
                sent++;
            if (driver.Publish())
                kick.Signal();
            // Now and then until all is back, so that the device runs dry and sleeps.
            int enough = random.Next(4) == 0 ? sent : done + 1;
            driver.DisableCalls();
            while (done < enough)
                if (driver.TryGetUsed(out int token, out uint written))
                    Check(queue, numbers, token, written, done++);
                else if (!driver.EnableCalls())
                {
                    waiting.ForReadable($"a call after {done} of {sent} chains");
                    call.Drain();
                }
        }
        Assert.Equal(driver.Size, driver.Free);
    }

    private static bool TrySend(TwoSidedQueue queue, DriverBuffer[] numbers, int number)
    {
        ulong address = numbers[number % numbers.Length].GuestAddress;
        bool room = queue.Driver.Size == 1 ? queue.Driver.Free > 0 : queue.Driver.Free > 1;
        if (!room)
            return false;
        BinaryPrimitives.WriteInt64LittleEndian(queue.Memory.At(address, ItemBytes), number);
        return queue.Driver.Size == 1
            ? queue.Driver.TryAdd([], [new(address, ItemBytes)], number)
            : queue.Driver.TryAdd([new(address, ItemBytes)], [new(address + ItemBytes, ItemBytes)], number);
    }

    private static void Check(TwoSidedQueue queue, DriverBuffer[] numbers, int token, uint written, int expected)
    {
        Assert.Equal(expected, token);
        Assert.Equal((uint)ItemBytes, written);
        ulong answer = numbers[token % numbers.Length].GuestAddress + (ulong)(queue.Driver.Size == 1 ? 0 : ItemBytes);
        if (queue.Driver.Size > 1)
            Assert.Equal(token + 1, BinaryPrimitives.ReadInt64LittleEndian(queue.Memory.At(answer, ItemBytes)));
    }

    private static void Serve(TwoSidedQueue queue, EventFd kick, EventFd call, int chains)
    {
        var device = queue.Device;
        var random = new Random(chains);
        byte[] item = new byte[ItemBytes];
        using var waiting = new Waiting(kick.Descriptor);
        for (int done = 0; done < chains;)
        {
            device.DisableKicks();
            int budget = random.Next(1, 64);
            PopResult result = PopResult.Empty;
            for (; budget > 0 && (result = queue.Pop()) == PopResult.Chain; budget--, done++)
                Answer(queue.Chain, device, item);
            Assert.True(result is PopResult.Empty or PopResult.Chain, $"{result}: {device.Fault}");
            if (device.PublishUsed())
                call.Signal();
            if (result == PopResult.Empty && done < chains && !device.EnableKicks())
            {
                waiting.ForReadable($"a kick after {done} chains");
                kick.Drain();
            }
        }
    }

    private static void Answer(Chain chain, DeviceQueue device, byte[] item)
    {
        chain.Readable.Read(item);
        BinaryPrimitives.WriteInt64LittleEndian(item, BinaryPrimitives.ReadInt64LittleEndian(item) + 1);
        device.AddUsed(chain.Ticket, (uint)chain.Writable.Write(item));
    }
}
