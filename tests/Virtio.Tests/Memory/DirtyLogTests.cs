using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

/// <summary>vhost-user, "Migration": a bit per 4 KiB page, page 0 in the lowest bit of the first byte.</summary>
public sealed class DirtyLogTests : IDisposable
{
    private const int Bytes = 64, Offset = 4096 + 3; // as misaligned as a front-end may make it
    private readonly FileDescriptor _file = MemFd.Create(Fds.UniqueName("log"), 2 * 4096);
    private readonly MappedRegion _seen;
    private readonly DirtyLog _log;

    public DirtyLogTests()
    {
        _seen = MappedRegion.TryMap(_file, 0, 2 * 4096, out _, out _)!;
        _log = DirtyLog.TryMap(_file, Offset, Bytes, out _, out _)!;
    }

    public void Dispose()
    {
        _log.Release();
        _seen.Release();
        _file.Dispose();
    }

    public static TheoryData<ulong, ulong, int[]> Ranges => new()
    {
        { 0, 0, [] },
        { 0, 1, [0] },
        { 4095, 1, [0] },
        { 4096, 4096, [1] },
        { 4095, 2, [0, 1] },
        { 0x7fff, 0x3002, [7, 8, 9, 10, 11] },
        { 511 * 4096, 4096, [511] },
        { 31 * 4096, 8193, [31, 32, 33] },
    };

    [Theory, MemberData(nameof(Ranges))]
    public void ExactlyThePagesWrittenAreMarked(ulong guestAddress, ulong length, int[] pages)
    {
        _log.Mark(guestAddress, length);
        Assert.Equal(pages, Marked());
        Assert.Equal(0, _log.OutOfRange);
    }

    /// <summary>No write goes beyond the bitmap, whatever a guest's addresses are (notes, check 21; the kernel's CVE-2019-14835).</summary>
    [Theory]
    [InlineData(512UL * 4096, 1UL)]
    [InlineData(ulong.MaxValue, 1UL)]
    [InlineData(ulong.MaxValue - 10, ulong.MaxValue)]
    [InlineData(1UL << 63, 1UL << 63)]
    public void WhatIsBeyondTheLogIsCountedAndNotMarked(ulong guestAddress, ulong length)
    {
        _log.Mark(guestAddress, length);
        Assert.Empty(Marked());
        Assert.Equal(1, _log.OutOfRange);
    }

    [Fact]
    public void ARangeThatLeavesTheLogIsMarkedAsFarAsItGoes()
    {
        _log.Mark(510 * 4096, 1 << 20);
        Assert.Equal([510, 511], Marked());
        Assert.Equal(1, _log.OutOfRange);
    }

    /// <summary>The front-end takes bits away while we set others in the same word: none is lost.</summary>
    [Fact]
    public void MarksOfSeveralThreadsAreAllThere()
    {
        Parallel.For(0, 8, thread =>
        {
            for (int page = thread; page < 512; page += 8)
                _log.Mark((ulong)page * 4096, 1);
        });
        Assert.Equal(Enumerable.Range(0, 512), Marked());
    }

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(8192UL, 1UL)]
    [InlineData(0UL, 8193UL)]
    [InlineData(ulong.MaxValue, 2UL)]
    [InlineData(1UL, ulong.MaxValue)]
    public void ALogThatIsNotInItsFileIsRefused(ulong offset, ulong size)
    {
        Assert.Null(DirtyLog.TryMap(_file, offset, size, out var fault, out string why));
        Assert.Equal(RegionFault.OutsideFile, fault);
        Assert.Contains("the log of dirty pages", why, StringComparison.Ordinal);
    }

    [Fact]
    public unsafe void BuffersAreMarkedByWhereTheGuestHasThem()
    {
        using var regions = new Regions();
        var memory = regions.Add(GuestMemory.Empty, 0x10_000, 2 * Regions.Page, 0x7000_0000);
        memory = regions.Add(memory, 0x4_0000, 4 * Regions.Page, 0x9000_0000);
        var ring = new RingLog(_log, memory, buffers: true, usedRing: 0x20_000);
        Segment* pieces = stackalloc Segment[2];
        pieces[0] = new Segment { Start = new AddressTranslator(memory).Translate(0x10_ff0, out _), Length = 32 };
        pieces[1] = new Segment { Start = new AddressTranslator(memory).Translate(0x4_2000, out _), Length = 8000 };
        ring.Wrote(new SegmentCursor(pieces, 8032), 32 + 4097);
        Assert.Equal([0x10, 0x11, 0x42, 0x43], Marked());
        ring.WroteUsed(4, 8);
        ring.WroteUsed(0xffc, 8);
        Assert.Equal([0x10, 0x11, 0x20, 0x21, 0x42, 0x43], Marked());
        memory.Release();
    }

    [Fact]
    public unsafe void WhatIsNotAskedForIsNotMarked()
    {
        using var regions = new Regions();
        var memory = regions.Add(GuestMemory.Empty, 0x10_000, Regions.Page, 0x7000_0000);
        var piece = new Segment { Start = new AddressTranslator(memory).Translate(0x10_000, out _), Length = 32 };
        var ring = new RingLog(_log, memory, buffers: false, usedRing: null);
        ring.Wrote(new SegmentCursor(&piece, 32), 32);
        ring.WroteUsed(0, 8);
        Assert.Empty(Marked());
        memory.Release();
    }

    /// <summary>All pages marked; nothing but the bitmap has changed.</summary>
    private unsafe int[] Marked()
    {
        var all = new ReadOnlySpan<byte>(_seen.Start, 2 * 4096);
        Assert.Equal(-1, all[..Offset].IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, all[(Offset + Bytes)..].IndexOfAnyExcept((byte)0));
        byte[] bitmap = all.Slice(Offset, Bytes).ToArray();
        return [.. Enumerable.Range(0, Bytes * 8).Where(page => (bitmap[page / 8] >> page % 8 & 1) != 0)];
    }
}
