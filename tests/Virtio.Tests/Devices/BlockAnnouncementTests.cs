using InterGuest.Virtio.Devices;

namespace InterGuest.Virtio.Tests.Devices;

public class BlockAnnouncementTests
{
    private static readonly BlockAnnouncement Disk = new()
    {
        Flags = BlockAnnouncementFlags.Cached | BlockAnnouncementFlags.Discard | BlockAnnouncementFlags.WriteZeroes | BlockAnnouncementFlags.Unmap,
        Capacity = 0x10000, Cache = 0x1122334455667788, BlockSize = 4096, PhysicalBlockExponent = 1, AlignmentOffset = 2, MinIoSize = 3,
        OptimalIoSize = 4, MaxData = 0x20000, MaxDiscard = 0x50, DiscardAlignment = 8, MaxWriteZeroes = 0x60, Id = "store-1",
    };

    [Fact]
    public void Section_3_Bytes()
    {
        byte[] bytes = new byte[BlockAnnouncement.Bytes];
        Disk.Write(bytes, epoch: 9);
        Assert.Equal(
            [
                3, 0, 24, 0, 72, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                1, 0, 0, 0, 30, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
                0, 16, 0, 0, 1, 2, 3, 0, 4, 0, 0, 0, 0, 0, 2, 0, 0x50, 0, 0, 0, 8, 0, 0, 0, 0x60, 0, 0, 0,
                .. "store-1\0\0\0\0\0\0\0\0\0\0\0\0\0"u8,
            ],
            bytes);
        Assert.Equal(Disk, BlockAnnouncement.TryParse(BlockMessage.Parse(bytes), bytes));
        Assert.Null(Disk.Problem);
    }

    [Theory]
    [InlineData(95)]
    [InlineData(24)]
    public void Section_7_OneTooShortIsRefused(int length)
    {
        byte[] bytes = new byte[BlockAnnouncement.Bytes];
        Disk.Write(bytes, 1);
        Assert.Null(BlockAnnouncement.TryParse(BlockMessage.Parse(bytes), bytes.AsSpan(0, length)));
        Assert.Null(BlockAnnouncement.TryParse(BlockMessage.Parse(bytes) with { DataBytes = 71 }, bytes));
        Assert.Null(BlockAnnouncement.TryParse(BlockMessage.Parse(bytes) with { HeaderBytes = 23 }, bytes));
    }

    public static TheoryData<BlockAnnouncement> Impossible =>
    [
        Disk with { Version = 0 }, Disk with { Version = 2 },
        Disk with { BlockSize = 0 }, Disk with { BlockSize = 1000 }, Disk with { BlockSize = 8192 },
        Disk with { Capacity = 7 }, Disk with { Capacity = ulong.MaxValue },
        Disk with { PhysicalBlockExponent = 17 },
        Disk with { MaxData = 0 }, Disk with { MaxData = 4097 }, Disk with { MaxData = 32 << 20 },
        Disk with { MaxDiscard = 7 }, Disk with { MaxWriteZeroes = 0 },
        Disk with { Id = "tab\t" }, Disk with { Id = "twenty-one characters" },
    ];

    [Theory]
    [MemberData(nameof(Impossible), DisableDiscoveryEnumeration = true)]
    public void Section_3_FieldsThatCannotBeRight(BlockAnnouncement disk) => Assert.NotNull(disk.Problem);

    public static TheoryData<BlockAnnouncement, bool> Changes => new()
    {
        { Disk, true },
        { Disk with { Capacity = Disk.Capacity + 8 }, true },
        { Disk with { Cache = 1 }, true },
        { Disk with { OptimalIoSize = 64 }, true },
        { Disk with { Capacity = Disk.Capacity - 8 }, false },
        { Disk with { BlockSize = 512 }, false },
        { Disk with { Id = "other" }, false },
        { Disk with { Flags = Disk.Flags | BlockAnnouncementFlags.ReadOnly }, false },
    };

    [Theory]
    [MemberData(nameof(Changes), DisableDiscoveryEnumeration = true)]
    public void Section_3_WhatMayChangeUnderClients(BlockAnnouncement next, bool allowed) =>
        Assert.Equal(allowed, next.ProblemAfter(Disk) == null);

    [Fact]
    public void Spec_5_2_4_ConfigBytes()
    {
        byte[] bytes = new byte[BlockConfig.Bytes];
        BlockConfig.Write(bytes, Disk, queues: 2, maxSegments: 126, writeback: true);
        Assert.Equal(
            [
                0, 0, 1, 0, 0, 0, 0, 0, // capacity
                0, 0, 0, 0, 126, 0, 0, 0, // size_max, seg_max
                0, 0, 0, 0, 0, 16, 0, 0, // geometry, blk_size
                1, 2, 3, 0, 4, 0, 0, 0, // topology
                1, 0, 2, 0, // writeback, num_queues
                0x50, 0, 0, 0, 16, 0, 0, 0, 8, 0, 0, 0, // discard: sectors, ranges, alignment
                0x60, 0, 0, 0, 16, 0, 0, 0, // write zeroes: sectors, ranges
                1, 0, 0, 0, // write_zeroes_may_unmap
            ],
            bytes);
    }
}
