using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Memory;

public class DriverMemoryTests
{
    private const ulong Base = 0x4000_0000;

    [Fact]
    public void IsTheSameMemoryAsTheDevices()
    {
        using var memory = new DriverMemory(1 << 16, Base);
        var guest = TwoSidedQueue.Map(memory);
        memory.At(Base + 100, 3).Fill(7);
        unsafe
        {
            Assert.Equal(7, new AddressTranslator(guest).Translate(Base + 102, out _)[0]);
        }
        guest.Release();
    }

    [Fact]
    public void AllocatesAlignedUntilItIsUsedUp()
    {
        using var memory = new DriverMemory(4096, Base);
        Assert.Equal(Base, memory.Allocate(1));
        Assert.Equal(Base + 16, memory.Allocate(1));
        Assert.Equal(Base + 17, memory.Allocate(1, alignment: 1));
        Assert.Equal(Base + 2048, memory.Allocate(2048, alignment: 2048));
        Assert.Throws<DmaMemoryException>(() => memory.Allocate(1));
        Assert.Equal(Base + 4096, memory.Allocate(0));
    }

    [Theory]
    [InlineData(Base - 1, 1)]
    [InlineData(Base + 4096, 1)]
    [InlineData(Base + 4095, 2)]
    [InlineData(Base, 4097)]
    [InlineData(Base, -1)]
    [InlineData(0UL, 1)]
    public void NothingOutsideCanBeReached(ulong address, int length)
    {
        using var memory = new DriverMemory(4096, Base);
        Assert.Throws<ArgumentOutOfRangeException>(() => memory.At(address, length).Length);
    }

    [Fact]
    public void SealedAgainstShrinking()
    {
        using var memory = new DriverMemory(4096, Base);
        Assert.NotEqual(0, Libc.fcntl(memory.File.Number, Libc.F_GET_SEALS, 0) & Libc.F_SEAL_SHRINK);
    }

    [Fact]
    public void DisposeUnmapsAndClosesAndMayBeRepeated()
    {
        int mapped = Fds.CountMapped("interguest-guest"), open = Fds.CountOpen("interguest-guest");
        var memory = new DriverMemory(4096, Base);
        Assert.Equal((mapped + 1, open + 1), (Fds.CountMapped("interguest-guest"), Fds.CountOpen("interguest-guest")));
        memory.Dispose();
        memory.Dispose();
        Assert.Equal((mapped, open), (Fds.CountMapped("interguest-guest"), Fds.CountOpen("interguest-guest")));
    }
}
