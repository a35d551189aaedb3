using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

public sealed unsafe class GuestMemoryTests : IDisposable
{
    private const ulong Page = Regions.Page;
    private const ulong User = 0x7f00_0000_0000;

    private readonly Regions _regions = new();

    public void Dispose() => _regions.Dispose();

    /// <summary>Bytes reachable from an address, whatever was translated before: that must never change an answer.</summary>
    private static ulong Reach(GuestMemory memory, ulong guest)
    {
        byte* expected = new AddressTranslator(memory).Translate(guest, out ulong reach);
        Assert.Equal(expected == null, reach == 0);
        foreach (ulong before in (ulong[])[.. memory.Layout.Select(l => l.GuestAddress), ulong.MaxValue, guest])
        {
            var translator = new AddressTranslator(memory);
            translator.Translate(before, out _);
            Assert.True(expected == translator.Map(guest, reach), $"after 0x{before:x}");
            Assert.True(translator.Map(guest, reach + 1) == null, $"after 0x{before:x}, one byte more");
            Assert.True(expected == translator.Translate(guest, out ulong again), $"after 0x{before:x}");
            Assert.Equal(reach, again);
        }
        return reach;
    }

    [Fact]
    public void TranslatesFirstAndLastByteAndNothingInTheHoles()
    {
        // Added out of order, on purpose.
        var memory = _regions.Add(GuestMemory.Empty, 0x9000, 2 * Page, User + 0x10_0000);
        memory = _regions.Add(memory, 0, Page, User);
        memory = _regions.Add(memory, 0x1_0000_0000, Page, User + 0x20_0000);
        Assert.Equal([0UL, 0x9000UL, 0x1_0000_0000UL], memory.Layout.Select(l => l.GuestAddress));
        Assert.Equal(3, memory.RegionCount);
        Assert.Equal(4 * Page, memory.TotalBytes);

        Assert.Equal(Page, Reach(memory, 0));
        Assert.Equal(1UL, Reach(memory, 0xfff));
        Assert.Equal(0UL, Reach(memory, 0x1000));
        Assert.Equal(0UL, Reach(memory, 0x8fff));
        Assert.Equal(2 * Page, Reach(memory, 0x9000));
        Assert.Equal(Page, Reach(memory, 0xa000));
        Assert.Equal(1UL, Reach(memory, 0xafff));
        Assert.Equal(0UL, Reach(memory, 0xb000));
        Assert.Equal(Page, Reach(memory, 0x1_0000_0000));
        Assert.Equal(0UL, Reach(memory, 0x1_0000_1000));
        Assert.Equal(0UL, Reach(memory, ulong.MaxValue));
        memory.Release();
    }

    [Fact]
    public void EmptyHasNothing()
    {
        Assert.Equal(0UL, Reach(GuestMemory.Empty, 0));
        Assert.Equal(0UL, Reach(GuestMemory.Empty, ulong.MaxValue));
        Assert.True(GuestMemory.Empty.TranslateUser(0, 1) == null);
    }

    [Fact]
    public void ReachEndsAtTheRegionEvenIfAnotherAdjoins()
    {
        var memory = _regions.Add(GuestMemory.Empty, 0x1000, Page, User);
        memory = _regions.Add(memory, 0x2000, Page, User + Page);
        Assert.Equal(0x10UL, Reach(memory, 0x1ff0));
        Assert.Equal(Page, Reach(memory, 0x2000));
        memory.Release();
    }

    /// <summary>vhost-user: ring addresses are the front-end's; a ring area must lie in one region, or a walk would leave it.</summary>
    [Fact]
    public void UserRangeMustLieInsideOneRegion()
    {
        var memory = _regions.Add(GuestMemory.Empty, 0x1000, Page, User);
        memory = _regions.Add(memory, 0x2000, Page, User + Page);
        Assert.True(memory.TranslateUser(User, Page) != null);
        Assert.True(memory.TranslateUser(User + Page - 1, 1) == memory.TranslateUser(User, 1) + Page - 1);
        Assert.True(memory.TranslateUser(User, Page + 1) == null);
        Assert.True(memory.TranslateUser(User + Page - 1, 2) == null);
        Assert.True(memory.TranslateUser(User - 1, 1) == null);
        Assert.True(memory.TranslateUser(User + 2 * Page, 1) == null);
        Assert.True(memory.TranslateUser(User + 1, ulong.MaxValue) == null);
        Assert.True(memory.TranslateUser(0x1000, 1) == null, "a guest address is not a user address");
        memory.Release();
    }

    [Fact]
    public void OffsetNeedNotBePageAligned()
    {
        var file = _regions.File(3 * Page);
        var whole = _regions.Add(GuestMemory.Empty, 0, 3 * Page, User, 0, file);
        var part = _regions.Add(GuestMemory.Empty, 0, Page, User, 1234, file);
        new AddressTranslator(whole).Translate(1234, out _)[0] = 0x5a;
        new AddressTranslator(whole).Translate(1234 + Page - 1, out _)[0] = 0xa5;
        Assert.Equal(0x5a, new AddressTranslator(part).Translate(0, out _)[0]);
        Assert.Equal(0xa5, new AddressTranslator(part).Translate(Page - 1, out _)[0]);
        Assert.Equal(0UL, Reach(part, Page));
        whole.Release();
        part.Release();
        Assert.Equal(0, _regions.Mapped);
    }

    [Theory]
    [InlineData(0UL, 0UL, User, 0UL)] // no bytes
    [InlineData(0xffff_ffff_ffff_f001UL, 4096UL, User, 0UL)] // guest address wraps
    [InlineData(0UL, 4096UL, 0xffff_ffff_ffff_f001UL, 0UL)] // user address wraps
    [InlineData(0UL, 4096UL, User, 0xffff_ffff_ffff_f001UL)] // offset wraps
    [InlineData(0UL, 4096UL, User, 0x7fff_ffff_ffff_f000UL)] // offset + size is no off_t
    [InlineData(0UL, 0x8000_0000_0000_0000UL, User, 0UL)]
    [InlineData(1UL, ulong.MaxValue, User, 0UL)]
    [InlineData(0UL, ulong.MaxValue, 0UL, 1UL)]
    public void ImpossibleRangesAreRefused(ulong guest, ulong size, ulong user, ulong offset) =>
        Assert.Contains("wraps round", _regions.Refused(GuestMemory.Empty, guest, size, user, offset), StringComparison.Ordinal);

    [Theory]
    [InlineData(4097UL, 0UL)]
    [InlineData(4096UL, 1UL)]
    [InlineData(1UL, 4096UL)]
    [InlineData(1UL, 1UL << 62)]
    [InlineData(1UL << 62, 0UL)]
    public void FileMustBeLongEnough(ulong size, ulong offset) =>
        Assert.Contains("4096 bytes, fewer", _regions.Refused(GuestMemory.Empty, 0, size, User, offset), StringComparison.Ordinal);

    [Theory]
    [InlineData(0x2000UL, 0x9_0000UL)] // the same guest addresses
    [InlineData(0x2fffUL, 0x9_0000UL)] // the last byte
    [InlineData(0x1001UL, 0x9_0000UL)] // the first byte
    [InlineData(0x8000UL, 0x2_0000UL)] // the same user addresses
    [InlineData(0x8000UL, 0x2_0fffUL)]
    [InlineData(0x8000UL, 0x1_f001UL)]
    public void OverlapInEitherAddressSpaceIsRefused(ulong guest, ulong user)
    {
        var memory = _regions.Add(GuestMemory.Empty, 0x2000, Page, 0x2_0000);
        Assert.Contains("overlaps", _regions.Refused(memory, guest, Page, user), StringComparison.Ordinal);
        memory.Release();
    }

    [Fact]
    public void ALargeRegionOverAllOthersOverlaps()
    {
        var memory = _regions.Add(GuestMemory.Empty, 0x2000, Page, 0x2_0000);
        _regions.Refused(memory, 0, 16 * Page, 0x9_0000, file: _regions.File(16 * Page));
        memory.Release();
    }

    [Fact]
    public void OnlyMemoryFilesAreMapped()
    {
        using var pipe = Fds.Pipe().Read;
        using var socket = UnixSocket.Pair().First;
        using var directory = Fds.Open("/tmp", Fds.ReadOnly | Fds.Directory);
        using var device = Fds.Open("/dev/zero", Fds.ReadWrite);
        using var bell = EventFd.Create();
        foreach (var fd in (FileDescriptor[])[pipe, socket, directory, device, bell.Descriptor])
            Assert.Contains("not a memory file", _regions.Refused(GuestMemory.Empty, 0, Page, User, 0, fd), StringComparison.Ordinal);
    }

    [Fact]
    public void ReadOnlyFileIsRefusedWithTheSystemsReason()
    {
        using var directory = new TempDirectory();
        File.WriteAllBytes(directory.File("f"), new byte[Page]);
        using var file = Fds.Open(directory.File("f"), Fds.ReadOnly);
        Assert.Contains("Permission denied", _regions.Refused(GuestMemory.Empty, 0, Page, User, 0, file), StringComparison.Ordinal);
    }

    [Fact]
    public void QemuNeverWantsFewerThan509Regions()
    {
        var memory = GuestMemory.Empty;
        var file = _regions.File();
        for (ulong i = 0; i < GuestMemory.MaxRegions; i++)
            memory = _regions.Add(memory, i * 2 * Page, Page, User + i * 2 * Page, 0, file);
        Assert.Equal(509, memory.RegionCount);
        Assert.Contains("509", _regions.Refused(memory, 1 << 30, Page, User + (1 << 30), 0, file), StringComparison.Ordinal);
        for (ulong i = 0; i < GuestMemory.MaxRegions; i += 127)
        {
            Assert.Equal(1UL, Reach(memory, i * 2 * Page + Page - 1));
            Assert.Equal(0UL, Reach(memory, i * 2 * Page + Page));
        }
        memory.Release();
        Assert.Equal(0, _regions.Mapped);
    }
}
