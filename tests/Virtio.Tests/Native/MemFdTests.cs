using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Native;

public class MemFdTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SealedUnlessTold(bool seal)
    {
        using var file = MemFd.Create("sealed", 8192, seal);
        int seals = Libc.fcntl(file.Number, Libc.F_GET_SEALS, 0);
        Assert.Equal(seal, (seals & Libc.F_SEAL_SHRINK) != 0);
        Assert.Equal(seal ? -1 : 0, Libc.ftruncate(file.Number, 4096));
    }

    [Fact]
    public void FailureLeavesNoDescriptor()
    {
        string name = Fds.UniqueName("toolarge");
        Assert.Throws<NativeException>(() => MemFd.Create(name, -1));
        Assert.Equal(0, Fds.CountOpen(name));
    }
}
