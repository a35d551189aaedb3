using System.Diagnostics;
using InterGuest.Testing;

namespace InterGuest.Switch.Tests;

/// <summary>Waits for what must come, and says what did not.</summary>
internal static class Wait
{
    public static void Until(Func<bool> condition, string what, TimeSpan? patience = null)
    {
        long started = Stopwatch.GetTimestamp();
        TimeSpan limit = patience ?? TestGuest.Patience;
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
                Assert.Fail($"waited {limit.TotalSeconds} s in vain: {what}");
            Thread.Sleep(1);
        }
    }

    public static async Task<T> ForAsync<T>(Task<T> task, string what)
    {
        if (await Task.WhenAny(task, Task.Delay(TestGuest.Patience)) != task)
            Assert.Fail($"waited {TestGuest.Patience.TotalSeconds} s in vain: {what}");
        return await task;
    }

    public static async Task ForAsync(Task task, string what)
    {
        if (await Task.WhenAny(task, Task.Delay(TestGuest.Patience)) != task)
            Assert.Fail($"waited {TestGuest.Patience.TotalSeconds} s in vain: {what}");
        await task;
    }
}
