using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

public unsafe class MappedRegionTests
{
    [Fact]
    public void MappingAMemfdThatTakesSealsStopsItFromShrinking()
    {
        using var file = MemFd.Create("growing", 8192, seal: false);
        var region = MappedRegion.TryMap(file, 0, 8192, out _, out _);
        Assert.NotNull(region);
        Assert.Equal(-1, Libc.ftruncate(file.Number, 0));
        region.Start[8191] = 1;
        region.Release();
    }

    [Fact]
    public void EachUserHoldsTheMapping()
    {
        string name = Fds.UniqueName("mapped");
        using var file = MemFd.Create(name, 4096);
        var region = MappedRegion.TryMap(file, 0, 4096, out _, out string reason)!;
        Assert.Equal("", reason);
        region.Hold().Release();
        Assert.Equal(1, Fds.CountMapped(name));
        region.Release();
        Assert.Equal(0, Fds.CountMapped(name));
    }

    /// <summary>A core dump of the switch must not have the guests' memory in it.</summary>
    [Fact]
    public void GuestMemoryIsNotDumped()
    {
        string name = Fds.UniqueName("secret");
        using var file = MemFd.Create(name, 4096);
        var region = MappedRegion.TryMap(file, 0, 4096, out _, out _)!;
        string flags = File.ReadLines("/proc/self/smaps")
            .SkipWhile(l => !l.Contains(name, StringComparison.Ordinal))
            .First(l => l.StartsWith("VmFlags", StringComparison.Ordinal));
        region.Release();
        Assert.Contains(" dd", flags, StringComparison.Ordinal);
    }

    /// <summary>
    /// Promise 1: whatever comes over the socket, the switch keeps running. The memfd cannot be sealed any more, so its owner
    /// can cut it short after we mapped it. Refusing such a file is fine as well.
    /// </summary>
    [Fact]
    public void Promise_1_MemoryFileThatShrinksDoesNotKillTheProcess()
    {
        var (exitCode, output) = Victim.Run(TouchAFileCutShort);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {output}");
    }

    private static void TouchAFileCutShort()
    {
        using var file = MemFd.Create("shrinking", 8192, seal: false);
        Libc.Check(Libc.fcntl(file.Number, Libc.F_ADD_SEALS, Libc.F_SEAL_SEAL), "no more seals");
        if (GuestMemory.Empty.TryAdd(new(0, 8192, 0, 0), file, out _) is not { } memory)
            return;
        Libc.Check(Libc.ftruncate(file.Number, 0), "ftruncate");
        Segment segment = new() { Start = new AddressTranslator(memory).Translate(0, out _), Length = 8 };
        new SegmentCursor(&segment, 8).Read(stackalloc byte[8]);
    }
}
