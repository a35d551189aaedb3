using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Queues;

/// <summary>Rings that cannot be believed, and queues that are not made.</summary>
public class SplitQueueBadRingTests
{
    private const int Size = 4;

    [Theory]
    [InlineData(0, Size + 1)]
    [InlineData(0, 0xffff)] // backwards
    [InlineData(0xfffe, 3)]
    [InlineData(0xfffe, 0xfffd)]
    public void Spec_2_7_6_AvailableIndexJumped(int start, int index)
    {
        using var queue = new TwoSidedQueue(Size, start: (ushort)start);
        queue.Raw.AvailableIndex = (ushort)index;
        Assert.Equal(PopResult.BadRing, queue.Pop());
        Assert.Equal(QueueFault.AvailableIndexJumped, queue.Device.Fault);
        Assert.Equal((ushort)start, queue.Device.State);
        Assert.True(queue.Device.EnableKicks(), "there is something to look at");
        Assert.Equal(PopResult.BadRing, queue.Pop());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0xfffe)]
    public void Spec_2_7_6_AWholeQueueAtOnceIsFine(int start)
    {
        using var queue = new TwoSidedQueue(Size, start: (ushort)start);
        for (int i = 0; i < Size; i++)
            queue.Raw.Descriptor(i, queue.Buffer(1).GuestAddress, 1);
        queue.Raw.Offer(0, 1, 2, 3);
        for (int i = 0; i < Size; i++)
            Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(PopResult.Empty, queue.Pop());
    }

    [Fact]
    public void Spec_2_7_13_AChainMadeAvailableTwice()
    {
        using var queue = new TwoSidedQueue(Size);
        queue.Raw.Descriptor(1, queue.Buffer(1).GuestAddress, 1);
        queue.Raw.Offer(1, 1);
        Assert.Equal(PopResult.Chain, queue.Pop());
        Assert.Equal(PopResult.BadRing, queue.Pop());
        Assert.Equal(QueueFault.HeadInFlight, queue.Device.Fault);
    }

    [Fact]
    public void Spec_2_7_13_AChainMayComeAgainOnceItIsBack()
    {
        using var queue = new TwoSidedQueue(Size);
        queue.Raw.Descriptor(1, queue.Buffer(1).GuestAddress, 1);
        for (int i = 0; i < 3; i++)
        {
            queue.Raw.Offer(1);
            Assert.Equal(PopResult.Chain, queue.Pop());
            queue.Device.AddUsed(queue.Chain.Ticket, 0);
            queue.Device.PublishUsed();
        }
    }

    /// <summary>The first of them were kept for long: that they come again is seen by their number alone.</summary>
    [Fact]
    public void Spec_2_7_13_MoreChainsThanTheQueueHas()
    {
        using var queue = new TwoSidedQueue(Size);
        for (int i = 0; i < Size; i++)
        {
            queue.Raw.Descriptor(i, queue.Buffer(1).GuestAddress, 1);
            queue.Raw.Offer(i);
            Assert.Equal(PopResult.Chain, queue.Pop());
        }
        queue.Raw.Offer(0);
        Assert.Equal(PopResult.BadRing, queue.Pop());
        Assert.Equal(QueueFault.TooManyInFlight, queue.Device.Fault);
    }

    [Theory]
    [InlineData(Size)]
    [InlineData(0xffff)]
    public void Spec_2_7_6_HeadOutOfRange(int head)
    {
        using var queue = new TwoSidedQueue(Size);
        queue.Raw.Offer(head);
        Assert.Equal(PopResult.BadRing, queue.Pop());
        Assert.Equal(QueueFault.HeadOutOfRange, queue.Device.Fault);
        Assert.Equal(0u, queue.Device.State);
        Assert.Equal(PopResult.BadRing, queue.Pop());
    }

    /// <summary>"Nothing in it can be believed, and the queue stops": whatever the driver does about it afterwards.</summary>
    [Theory]
    [InlineData(QueueFault.AvailableIndexJumped)]
    [InlineData(QueueFault.HeadOutOfRange)]
    public void BadRingStaysBadWhenTheDriverRepairsIt(QueueFault fault)
    {
        using var queue = new TwoSidedQueue(Size);
        queue.Raw.Descriptor(0, queue.Buffer(1).GuestAddress, 1);
        queue.Raw.Offer(fault == QueueFault.HeadOutOfRange ? Size : 0);
        if (fault == QueueFault.AvailableIndexJumped)
            queue.Raw.AvailableIndex = 100;
        Assert.Equal(PopResult.BadRing, queue.Pop());
        queue.Raw.AvailableIndex = 0;
        queue.Raw.Offer(0);
        Assert.Equal(PopResult.BadRing, queue.Pop());
        Assert.Equal(fault, queue.Device.Fault);
    }

    [Fact]
    public void BadChainAfterWhichTheRingJumpsIsABadRing()
    {
        using var queue = new TwoSidedQueue(Size);
        queue.Raw.Descriptor(0, 0, 1);
        queue.Raw.Offer(0);
        Assert.Equal(QueueFault.AddressNotMapped, queue.PopBadChain());
        Assert.Equal(PopResult.Empty, queue.Pop());
        queue.Raw.AvailableIndex = 1000;
        Assert.Equal(PopResult.BadRing, queue.Pop());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-4)]
    [InlineData(3)]
    [InlineData(65536)]
    [InlineData(int.MinValue)]
    public void Spec_2_7_SizeMustBeAPowerOfTwoUpTo32768(int size) => AssertRefused(size, l => l, "power of two");

    [Fact]
    public void Spec_2_7_AreasMustBeAligned()
    {
        AssertRefused(Size, l => l with { Descriptors = l.Descriptors + 8 }, "aligned");
        AssertRefused(Size, l => l with { Available = l.Available + 1 }, "aligned");
        AssertRefused(Size, l => l with { Used = l.Used + 2 }, "aligned");
    }

    [Fact]
    public void AreasMustLieInSharedMemory()
    {
        AssertRefused(Size, l => l with { Descriptors = 0 }, "not in the guest's");
        AssertRefused(Size, l => l with { Available = 0 }, "not in the guest's");
        AssertRefused(Size, l => l with { Used = 0 }, "not in the guest's");
        // The end of the memory is the end of an area, and not less.
        const uint end = TwoSidedQueue.DefaultMemoryBytes;
        AssertRefused(Size, l => l with { Descriptors = l.Descriptors + end - 16 * Size + 16 }, "not in the guest's");
        AssertRefused(Size, l => l with { Available = l.Descriptors + end - 6 - 2 * Size + 2 }, "not in the guest's");
        AssertRefused(Size, l => l with { Used = l.Descriptors + end - 6 - 8 * Size + 2 }, "not in the guest's");
        AssertMade(Size, l => l with { Descriptors = l.Descriptors + end - 16 * Size });
        AssertMade(Size, l => l with { Available = l.Descriptors + end - 6 - 2 * Size });
        AssertMade(Size, l => l with { Used = l.Descriptors + end - 40 });
    }

    /// <summary>
    /// The front-end's addresses can be aligned while the file's offset is not: then ours are not, and an index could be
    /// read in two halves (x86-64), or trap (Arm).
    /// </summary>
    [Theory]
    [InlineData(0UL, 1UL)]
    [InlineData(1UL, 0UL)]
    public void AreasMustBeAlignedInOurAddressSpaceToo(ulong offset, ulong userSkew)
    {
        using var memory = new DriverMemory(1 << 16, 0);
        const ulong user = 0x1_0000;
        var guest = GuestMemory.Empty.TryAdd(new RegionLayout(0, 1 << 15, user + userSkew, offset), memory.File, out _)!;
        using var queue = DeviceQueue.TryCreate(guest, new RingLayout(user + 0x1000, user + 0x2000, user + 0x3000), Size, 0, 0, out _);
        guest.Release();
        Assert.Null(queue);
    }

    [Fact]
    public void QueueHoldsItsMemory()
    {
        using var memory = new DriverMemory(1 << 16, 0);
        int before = Fds.CountMapped("interguest-guest");
        var driver = DriverQueue.Create(memory, Size, 0);
        var guest = TwoSidedQueue.Map(memory);
        var queue = DeviceQueue.TryCreate(guest, driver.Layout, Size, 0, 0, out _)!;
        guest.Release();
        Assert.Equal(before + 1, Fds.CountMapped("interguest-guest"));
        using var chain = new Chain();
        Assert.Equal(PopResult.Empty, queue.TryPop(chain));
        queue.Dispose();
        Assert.Equal(before, Fds.CountMapped("interguest-guest"));
    }

    /// <summary>A second Dispose must not take away memory that another queue of the guest works in.</summary>
    [Fact]
    public void DisposingTwiceLetsGoOnce()
    {
        string name = Fds.UniqueName("twice");
        using var file = Virtio.Native.MemFd.Create(name, 1 << 16);
        var guest = GuestMemory.Empty.TryAdd(new RegionLayout(0, 1 << 16, 0x1_0000, 0), file, out _)!;
        var queue = DeviceQueue.TryCreate(guest, new RingLayout(0x1_1000, 0x1_2000, 0x1_3000), Size, 0, 0, out _)!;
        queue.Dispose();
        queue.Dispose();
        Assert.Equal(1, Fds.CountMapped(name));
        guest.Release();
    }

    private static void AssertMade(int size, Func<RingLayout, RingLayout> change) => Assert.Null(Try(size, change));

    private static void AssertRefused(int size, Func<RingLayout, RingLayout> change, string reason) =>
        Assert.Contains(reason, Try(size, change), StringComparison.Ordinal);

    private static string? Try(int size, Func<RingLayout, RingLayout> change)
    {
        using var sound = new TwoSidedQueue(Size);
        using var queue = DeviceQueue.TryCreate(sound.Guest, change(sound.Driver.Layout), size, 0, 0, out string reason);
        return queue == null ? reason : null;
    }
}
