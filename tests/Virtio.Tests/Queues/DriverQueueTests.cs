using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

public sealed class DriverQueueTests : IDisposable
{
    private readonly TwoSidedQueue _queue = new(4);

    private DriverQueue Driver => _queue.Driver;

    public void Dispose() => _queue.Dispose();

    private void GiveBack(int head, uint written)
    {
        _queue.Device.AddUsed(new ChainTicket((ushort)head, 1), written);
        _queue.Device.PublishUsed();
    }

    [Fact]
    public void TakesChainsWhileThereAreDescriptors()
    {
        var buffer = _queue.Room(8);
        Assert.False(Driver.TryAdd([], [], 0), "an empty chain is none");
        Assert.True(Driver.TryAdd([buffer, buffer], [buffer], 1));
        Assert.False(Driver.TryAdd([buffer, buffer], [], 2));
        Assert.True(Driver.TryAdd([], [buffer], 3));
        Assert.False(Driver.TryAdd([buffer], [], 4));
        Assert.Equal((0, 2, 4), (Driver.Free, Driver.InFlight, Driver.Size));
    }

    [Fact]
    public void NothingIsSeenBeforePublish()
    {
        Driver.TryAdd([_queue.Room(1)], [], 1);
        Assert.Equal(PopResult.Empty, _queue.Pop());
        Assert.True(Driver.Publish());
        Assert.Equal(PopResult.Chain, _queue.Pop());
    }

    [Fact]
    public void TokensComeBackWithTheirChainsInAnyOrder()
    {
        var heads = new int[3];
        for (int i = 0; i < 3; i++)
            Driver.TryAdd([], [_queue.Room(10)], 100 + i);
        Driver.Publish();
        for (int i = 0; i < 3; i++)
        {
            _queue.Pop();
            heads[i] = _queue.Chain.Ticket.Id;
        }
        foreach (int i in (int[])[2, 0, 1])
            GiveBack(heads[i], (uint)i);
        foreach (int i in (int[])[2, 0, 1])
        {
            Assert.True(Driver.TryGetUsed(out int token, out uint written));
            Assert.Equal((100 + i, (uint)i), (token, written));
        }
        Assert.False(Driver.TryGetUsed(out _, out _));
        Assert.Equal((4, 0), (Driver.Free, Driver.InFlight));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(0xffff)]
    [InlineData(1)]
    public void DeviceThatGivesBackWhatItDidNotHaveIsAnError(int head)
    {
        Driver.TryAdd([_queue.Room(1)], [], 1); // head 0
        Driver.Publish();
        GiveBack(head, 0);
        Assert.Throws<InvalidDataException>(() => Driver.TryGetUsed(out _, out _));
    }

    [Fact]
    public void DeviceThatGivesBackTwiceIsAnError()
    {
        Driver.TryAdd([_queue.Room(1)], [], 1);
        Driver.Publish();
        GiveBack(0, 0);
        GiveBack(0, 0);
        Assert.True(Driver.TryGetUsed(out _, out _));
        Assert.Throws<InvalidDataException>(() => Driver.TryGetUsed(out _, out _));
    }

    [Theory]
    [InlineData(10u, true)]
    [InlineData(11u, false)]
    [InlineData(uint.MaxValue, false)]
    public void Spec_2_7_8_2_DeviceCannotHaveWrittenMoreThanThereIsRoom(uint written, bool possible)
    {
        Driver.TryAdd([_queue.Room(50)], [_queue.Room(4), _queue.Room(6)], 1);
        Driver.Publish();
        GiveBack(0, written);
        if (possible)
            Assert.True(Driver.TryGetUsed(out _, out _));
        else
            Assert.Throws<InvalidDataException>(() => Driver.TryGetUsed(out _, out _));
    }

    [Fact]
    public void Spec_2_7_5_3_OneDescriptorPerIndirectChain()
    {
        using var queue = new TwoSidedQueue(4, Features.RingIndirectDescriptors, maxIndirect: 8);
        var buffer = queue.Room(1);
        for (int i = 0; i < 4; i++)
            Assert.True(queue.Driver.TryAdd([buffer, buffer, buffer], [buffer, buffer], i));
        Assert.Equal(0, queue.Driver.Free);
        queue.Driver.Publish();
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(PopResult.Chain, queue.Pop());
            Assert.Equal((3UL, 2UL), (queue.Chain.ReadableBytes, queue.Chain.WritableBytes));
        }
    }
}
