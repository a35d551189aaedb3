using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Queues;
using InterGuest.Virtio.Tests.Fixtures;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.VhostUser;

public class MessageLayoutTests
{
    /// <summary>Each request with its number, and the size and descriptors that it must have (vhost-user, "Front-end message types").</summary>
    public static TheoryData<RequestCode, uint, int, int> Shapes => new()
    {
        { RequestCode.GetFeatures, 1, 0, 0 },
        { RequestCode.SetFeatures, 2, 8, 0 },
        { RequestCode.SetOwner, 3, 0, 0 },
        { RequestCode.ResetOwner, 4, 0, 0 },
        { RequestCode.SetLogBase, 6, 16, 1 },
        { RequestCode.SetLogFd, 7, 0, 1 },
        { RequestCode.SetVringNum, 8, 8, 0 },
        { RequestCode.SetVringAddress, 9, 40, 0 },
        { RequestCode.SetVringBase, 10, 8, 0 },
        { RequestCode.GetVringBase, 11, 8, 0 },
        { RequestCode.SetVringKick, 12, 8, 1 },
        { RequestCode.SetVringCall, 13, 8, 1 },
        { RequestCode.SetVringError, 14, 8, 1 },
        { RequestCode.GetProtocolFeatures, 15, 0, 0 },
        { RequestCode.SetProtocolFeatures, 16, 8, 0 },
        { RequestCode.GetQueueNum, 17, 0, 0 },
        { RequestCode.SetVringEnable, 18, 8, 0 },
        { RequestCode.SendRarp, 19, 8, 0 },
        { RequestCode.NetSetMtu, 20, 8, 0 },
        { RequestCode.SetBackendRequestFd, 21, 0, 1 },
        { RequestCode.ResetDevice, 34, 0, 0 },
        { RequestCode.GetMaxMemorySlots, 36, 0, 0 },
        { RequestCode.AddMemoryRegion, 37, 40, 1 },
        { RequestCode.SetStatus, 39, 8, 0 },
        { RequestCode.GetStatus, 40, 0, 0 },
    };

    [Theory, MemberData(nameof(Shapes))]
    public void SizeAndDescriptorsMustBeExact(RequestCode request, uint number, int size, int fds)
    {
        Assert.Equal(number, (uint)request);
        for (int bytes = 0; bytes <= 64; bytes++)
            Assert.Equal(bytes == size, MessageLayout.Validate(request, new byte[bytes], fds) == null);
        for (int count = 0; count <= MessageLayout.MaxFds; count++)
            Assert.Equal(count == fds, MessageLayout.Validate(request, new byte[size], count) == null);
    }

    [Theory]
    [InlineData(RequestCode.SetVringKick)]
    [InlineData(RequestCode.SetVringCall)]
    [InlineData(RequestCode.SetVringError)]
    public void NoFdBitMeansNoDescriptor(RequestCode request)
    {
        Assert.Null(MessageLayout.Validate(request, RawPeer.U64(0x101), 0));
        Assert.NotNull(MessageLayout.Validate(request, RawPeer.U64(0x101), 1));
        Assert.NotNull(MessageLayout.Validate(request, RawPeer.U64(0x0ff), 0));
        Assert.NotNull(MessageLayout.Validate(request, RawPeer.U64(0x101).AsSpan(0, 7), 0));
    }

    [Fact]
    public void MemoryTableHasARegionAndADescriptorForEachThatItCounts()
    {
        for (uint regions = 0; regions <= 8; regions++)
        {
            byte[] body = [.. RawPeer.U32s(regions, 0), .. new byte[32 * regions]];
            Assert.Null(MessageLayout.Validate(RequestCode.SetMemoryTable, body, (int)regions));
            Assert.NotNull(MessageLayout.Validate(RequestCode.SetMemoryTable, body, (int)regions + 1));
            Assert.NotNull(MessageLayout.Validate(RequestCode.SetMemoryTable, body, (int)regions - 1));
            Assert.NotNull(MessageLayout.Validate(RequestCode.SetMemoryTable, [.. body, 0], (int)regions));
            Assert.NotNull(MessageLayout.Validate(RequestCode.SetMemoryTable, body.AsSpan(0, body.Length - 1), (int)regions));
        }
    }

    [Theory]
    [InlineData(9u)]
    [InlineData(uint.MaxValue)]
    public void MemoryTableOfMoreThanEightDoesNotOverflow(uint regions)
    {
        byte[] body = [.. RawPeer.U32s(regions, 0), .. new byte[32 * 9]];
        Assert.NotNull(MessageLayout.Validate(RequestCode.SetMemoryTable, body, 9));
        Assert.NotNull(MessageLayout.Validate(RequestCode.SetMemoryTable, body.AsSpan(0, 8), 0));
    }

    /// <summary>The specification lets the front-end send the descriptor of the region it removes.</summary>
    [Fact]
    public void RemoveMemoryRegionMayHaveADescriptor()
    {
        Assert.Null(MessageLayout.Validate(RequestCode.RemoveMemoryRegion, new byte[40], 0));
        Assert.Null(MessageLayout.Validate(RequestCode.RemoveMemoryRegion, new byte[40], 1));
        Assert.NotNull(MessageLayout.Validate(RequestCode.RemoveMemoryRegion, new byte[39], 0));
        Assert.NotNull(MessageLayout.Validate(RequestCode.RemoveMemoryRegion, new byte[32], 0));
    }

    [Fact]
    public void RequestsOfOthersAreForOthersToRefuse() => Assert.Null(MessageLayout.Validate((RequestCode)4711, new byte[77], 3));

    [Fact]
    public void RegionIsGuestAddressSizeUserAddressOffset()
    {
        byte[] body = RawPeer.Region(new RegionLayout(1, 2, 3, 4));
        Assert.Equal([1UL, 2UL, 3UL, 4UL], Enumerable.Range(1, 4).Select(i => BitConverter.ToUInt64(body, 8 * i)));
        Assert.Equal(new RegionLayout(1, 2, 3, 4), MessageLayout.Region(body, 8));
        byte[] written = new byte[40];
        MessageLayout.WriteRegion(written.AsSpan(8), new RegionLayout(1, 2, 3, 4));
        Assert.Equal(body, written);
    }

    /// <summary>Index, flags, descriptors, used, available, log: the used ring comes before the available one.</summary>
    [Fact]
    public void RingAddressesAreDescriptorsUsedAvailable() =>
        Assert.Equal(new RingLayout(Descriptors: 10, Available: 30, Used: 20), MessageLayout.Ring(RawPeer.U64s(7, 10, 20, 30, 40)));

    [Fact]
    public void HeaderIsRequestFlagsSize()
    {
        byte[] header = new byte[12];
        MessageLayout.WriteHeader(header, RequestCode.SetVringNum, 5, 8);
        Assert.Equal(RawPeer.U32s(8, 5, 8), header);
    }
}
