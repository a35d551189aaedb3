using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Tests.Native;

public class NativeExceptionTests
{
    [Fact]
    public void SaysWhatWasTriedWhyAndTheNumber()
    {
        var e = new NativeException("bind /run/x.sock", Libc.EACCES);
        Assert.Equal("bind /run/x.sock: Permission denied (errno 13)", e.Message);
        Assert.Equal("bind /run/x.sock", e.Operation);
        Assert.Equal(13, e.Error);
        Assert.Equal("Permission denied", e.Reason);
        Assert.IsAssignableFrom<IOException>(e);
    }

    [Fact]
    public void CheckPassesResultsOnAndThrowsTheLastError()
    {
        Assert.Equal(5, Libc.Check(5, "x"));
        Assert.Equal(0, Libc.Check(0, "x"));
        const int EBADF = 9;
        var e = Assert.Throws<NativeException>(() => Libc.Check(Libc.fcntl(-1, Libc.F_GETFL, 0), "look"));
        Assert.Equal((EBADF, "look"), (e.Error, e.Operation));
    }
}
