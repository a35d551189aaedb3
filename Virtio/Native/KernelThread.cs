using System.Globalization;

namespace InterGuest.Virtio.Native;

/// <summary>A thread of this process, as the kernel knows it.</summary>
public sealed unsafe class KernelThread
{
    // More CPUs than any kernel is built for: one that has more than the mask refuses to fill it.
    private const int MaskWords = 128;

    private readonly int _id;

    private KernelThread(int id) => _id = id;

    /// <summary>The one that calls.</summary>
    public static KernelThread Current() => new(Libc.gettid());

    /// <summary>The time of a CPU that it has used so far; nothing once it has ended.</summary>
    public TimeSpan CpuTime
    {
        get
        {
            // The clock of another thread has no name, but a number that the kernel makes of the thread's (clock_gettime(2)).
            Libc.TimeSpec now;
            return Libc.clock_gettime((~_id << 3) | 6, &now) == 0
                ? TimeSpan.FromSeconds(now.Seconds) + TimeSpan.FromTicks(now.Nanoseconds / TimeSpan.NanosecondsPerTick)
                : TimeSpan.Zero;
        }
    }

    /// <summary>The CPUs that the calling thread, and threads that it starts, may run on: numbers from 0, in their order.</summary>
    /// <exception cref="NativeException">The kernel does not say.</exception>
    public static IReadOnlyList<int> AllowedCpus()
    {
        ulong* mask = stackalloc ulong[MaskWords];
        new Span<ulong>(mask, MaskWords).Clear();
        Libc.Check(Libc.sched_getaffinity(0, MaskWords * sizeof(ulong), mask), "sched_getaffinity");
        var cpus = new List<int>();
        for (int cpu = 0; cpu < MaskWords * 64; cpu++)
            if ((mask[cpu / 64] & (1UL << (cpu % 64))) != 0)
                cpus.Add(cpu);
        return cpus;
    }

    /// <summary>Lets the calling thread run on one CPU alone.</summary>
    /// <param name="cpu">Its number, from 0.</param>
    /// <exception cref="NativeException">There is no such CPU, or this process may not use it.</exception>
    public static void Bind(int cpu)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(cpu);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(cpu, MaskWords * 64);
        ulong* mask = stackalloc ulong[MaskWords];
        new Span<ulong>(mask, MaskWords).Clear();
        mask[cpu / 64] = 1UL << (cpu % 64);
        Libc.Check(Libc.sched_setaffinity(0, MaskWords * sizeof(ulong), mask), string.Create(CultureInfo.InvariantCulture, $"sched_setaffinity to CPU {cpu}"));
    }
}
