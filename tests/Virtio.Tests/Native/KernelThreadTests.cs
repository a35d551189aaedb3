using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Tests.Native;

public class KernelThreadTests
{
    [Fact]
    public void AThreadThatIsBoundHasOneCpu()
    {
        int last = KernelThread.AllowedCpus()[^1];
        IReadOnlyList<int> allowed = [];
        var thread = new Thread(() =>
        {
            KernelThread.Bind(last);
            allowed = KernelThread.AllowedCpus();
        });
        thread.Start();
        thread.Join();
        Assert.Equal([last], allowed);
        Assert.Contains(last, KernelThread.AllowedCpus());
    }

    [Fact]
    public void ACpuThatThereIsNotIsRefused()
    {
        Assert.Contains("CPU 8191", Assert.Throws<NativeException>(() => KernelThread.Bind(8191)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => KernelThread.Bind(8192));
        Assert.Throws<ArgumentOutOfRangeException>(() => KernelThread.Bind(-1));
    }

    [Fact]
    public void TheTimeOfAnotherThreadIsKnownWhileItLives()
    {
        using var measured = new ManualResetEventSlim();
        KernelThread? other = null;
        var thread = new Thread(() =>
        {
            var own = KernelThread.Current();
            while (own.CpuTime < TimeSpan.FromMilliseconds(20))
            {
            }
            Volatile.Write(ref other, own);
            measured.Wait();
        });
        thread.Start();
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref other) != null, TimeSpan.FromSeconds(30)));
        Assert.InRange(other!.CpuTime, TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(30));
        measured.Set();
        thread.Join();
    }
}
