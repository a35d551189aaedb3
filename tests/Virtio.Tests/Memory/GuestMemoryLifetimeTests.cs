using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

/// <summary>Who holds what, and when it is unmapped: as /proc/self/maps says, not as we do.</summary>
public sealed unsafe class GuestMemoryLifetimeTests : IDisposable
{
    private const ulong Page = Regions.Page;

    private readonly Regions _regions = new();

    public void Dispose() => _regions.Dispose();

    [Fact]
    public void LastReleaseUnmaps()
    {
        var memory = _regions.Add(GuestMemory.Empty, 0, Page, 0x1_0000);
        memory.Hold();
        memory.Hold();
        memory.Release();
        memory.Release();
        Assert.Equal(1, _regions.Mapped);
        memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    [Fact]
    public void MappingOutlivesTheDescriptor()
    {
        var file = _regions.File();
        var memory = _regions.Add(GuestMemory.Empty, 0, Page, 0x1_0000, 0, file);
        file.Dispose();
        new AddressTranslator(memory).Translate(0, out _)[0] = 1;
        memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    [Fact]
    public void RegionsThatStayAreSharedByOldAndNewTables()
    {
        string a = _regions.Name + "-a", b = _regions.Name + "-b";
        var first = GuestMemory.Empty.TryAdd(new(0, Page, 0x1_0000, 0), _regions.File(suffix: "-a"), out _)!;
        var second = first.TryAdd(new(Page, Page, 0x2_0000, 0), _regions.File(suffix: "-b"), out _)!;
        Assert.Equal((1, 1), (Fds.CountMapped(a), Fds.CountMapped(b)));

        var third = second.TryRemove(new(0, Page, 0x1_0000, 0))!;
        second.Release();
        Assert.Equal((1, 1), (Fds.CountMapped(a), Fds.CountMapped(b)));
        first.Release();
        Assert.Equal((0, 1), (Fds.CountMapped(a), Fds.CountMapped(b)));
        third.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    [Fact]
    public void OldTableIsUnchangedByAddAndRemove()
    {
        var old = _regions.Add(GuestMemory.Empty, 0, Page, 0x1_0000);
        var more = old.TryAdd(new(Page, Page, 0x2_0000, 0), _regions.File(), out _)!;
        var none = old.TryRemove(new(0, Page, 0x1_0000, 0))!;
        Assert.Equal((1, 2, 0), (old.RegionCount, more.RegionCount, none.RegionCount));
        Assert.True(new AddressTranslator(old).Translate(Page, out _) == null);
        Assert.True(new AddressTranslator(old).Translate(0, out _) == new AddressTranslator(more).Translate(0, out _), "a region that stays keeps its mapping");
        foreach (var memory in (GuestMemory[])[old, more, none])
            memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    /// <summary>QEMU removes with offset 0, whatever the region's was.</summary>
    [Fact]
    public void RemoveMatchesWithoutTheOffset()
    {
        var memory = _regions.Add(GuestMemory.Empty, 0x4000, Page, 0x1_0000, offset: 2 * Page);
        var none = memory.TryRemove(new(0x4000, Page, 0x1_0000, 0));
        Assert.NotNull(none);
        none.Release();
        memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    /// <summary>As QEMU before 10 does it; see <c>TryAdd</c>.</summary>
    [Fact]
    public void AddingARegionAgainIsTheSameTableHeldOnceMore()
    {
        var file = _regions.File();
        var memory = _regions.Add(GuestMemory.Empty, 0x4000, Page, 0x1_0000, file: file);
        var again = memory.TryAdd(new(0x4000, Page, 0x1_0000, 0), file, out string why);
        Assert.Same(memory, again);
        Assert.Equal("", why);
        memory.Release();
        Assert.Equal(1, _regions.Mapped);
        memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    [Fact]
    public void AnotherOffsetAtTheSameAddressesIsAnOverlap()
    {
        var file = _regions.File(2 * Page);
        var memory = _regions.Add(GuestMemory.Empty, 0x4000, Page, 0x1_0000, file: file);
        var other = memory.TryAdd(new(0x4000, Page, 0x1_0000, Page), file, out _);
        other?.Release();
        memory.Release();
        Assert.Null(other);
    }

    [Theory]
    [InlineData(0x4001UL, 4096UL, 0x1_0000UL)]
    [InlineData(0x4000UL, 4095UL, 0x1_0000UL)]
    [InlineData(0x4000UL, 4096UL, 0x1_0001UL)]
    public void RemoveWantsAddressesAndSizeToMatch(ulong guest, ulong size, ulong user)
    {
        var memory = _regions.Add(GuestMemory.Empty, 0x4000, Page, 0x1_0000);
        Assert.Null(memory.TryRemove(new(guest, size, user, 0)));
        memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    [Fact]
    public void EmptyCanBeReleasedForEver()
    {
        for (int i = 0; i < 3; i++)
            GuestMemory.Empty.Release();
        var memory = _regions.Add(GuestMemory.Empty, 0, Page, 0x1_0000);
        Assert.Equal(1, _regions.Mapped);
        memory.Release();
    }

    [Fact]
    public void HoldAndReleaseFromManyThreadsUnmapOnce()
    {
        var memory = _regions.Add(GuestMemory.Empty, 0, Page, 0x1_0000);
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 20_000; i++)
                memory.Hold().Release();
        });
        Assert.Equal(1, _regions.Mapped);
        memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }
}
