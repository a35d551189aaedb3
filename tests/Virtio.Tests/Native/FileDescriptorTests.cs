using InterGuest.Virtio.Native;
using InterGuest.Virtio.Tests.Fixtures;

namespace InterGuest.Virtio.Tests.Native;

public class FileDescriptorTests
{
    [Fact]
    public void IsClosedExactlyOnce()
    {
        var fd = Fds.RawEventFd(0, 0);
        int number = fd.Number;
        fd.Dispose();
        Assert.Equal(-1, fd.Number);
        Assert.False(Fds.IsOpen(number));

        // The number's next owner must not suffer from a second Dispose.
        var heirs = Enumerable.Range(0, 64).Select(_ => Fds.RawEventFd(0, 0)).ToList();
        fd.Dispose();
        fd.Close();
        Assert.All(heirs, h => Assert.True(Fds.IsOpen(h.Number)));
        heirs.ForEach(h => h.Dispose());
    }

    [Fact]
    public void DuplicateIsOwnedApart()
    {
        using var bell = EventFd.Create();
        var twin = bell.Descriptor.Duplicate();
        Assert.NotEqual(bell.Descriptor.Number, twin.Number);
        Assert.Equal(8, Fds.Write(twin, 3));
        twin.Dispose();
        Assert.Equal(3UL, bell.Drain());
    }

    [Fact]
    public void DuplicateIsClosedOnExec()
    {
        using var pipe = Fds.Pipe().Read;
        using var twin = pipe.Duplicate();
        const int F_GETFD = 1, FD_CLOEXEC = 1;
        Assert.Equal(FD_CLOEXEC, Libc.fcntl(twin.Number, F_GETFD, 0) & FD_CLOEXEC);
    }

    [Fact]
    public void DuplicateOfAClosedOneThrows()
    {
        var fd = Fds.RawEventFd(0, 0);
        fd.Dispose();
        Assert.Throws<NativeException>(() => fd.Duplicate());
    }

    [Fact]
    public void ForgottenDescriptorIsClosedByTheCollector()
    {
        string name = Fds.UniqueName("forgotten");
        Forget(name);
        for (int i = 0; i < 10 && Fds.CountOpen(name) > 0; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.Equal(0, Fds.CountOpen(name));
    }

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void Forget(string name)
    {
        var fd = MemFd.Create(name, 4096);
        Assert.Equal(1, Fds.CountOpen(name));
        GC.KeepAlive(fd);
    }
}
