using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Tests.Memory;

public unsafe class CacheLinesTests
{
    private const nuint PageBytes = 4096;

    /// <summary>An address from a guest is claimed before anybody else looks at it.</summary>
    [Fact]
    public void ClaimingChangesNothingWhereverItPoints()
    {
        byte* page = (byte*)Libc.MapAnonymous(PageBytes);
        for (nuint i = 0; i < PageBytes; i++)
            page[i] = (byte)(i * 7);
        Libc.Check(Libc.mprotect(page, PageBytes, Libc.PROT_READ), "mprotect");

        foreach (byte* at in (ReadOnlySpan<nint>)[0, 1, (nint)page, (nint)page + 4095, -1, unchecked((nint)0x8000_0000_0000_0000)])
            foreach (uint bytes in (uint[])[0, 1, 64, 65, 4096, uint.MaxValue])
            {
                CacheLines.Claim(at, bytes);
                CacheLines.ClaimAndFetch(at, page, bytes);
                CacheLines.ClaimAndFetch(page, at, bytes);
            }

        for (nuint i = 0; i < PageBytes; i++)
            Assert.Equal((byte)(i * 7), page[i]);
        Libc.Check(Libc.munmap(page, PageBytes), "munmap");
    }

    /// <summary>A store to what may only be read would end the process.</summary>
    [Fact]
    public void WhatIsThereAlreadyIsNotStored()
    {
        byte* page = (byte*)Libc.MapAnonymous(PageBytes);
        CacheLines.Update(page + 3, 0x1122334455667788ul);
        CacheLines.Update(page + 11, (ushort)0x99aa);
        Libc.Check(Libc.mprotect(page, PageBytes, Libc.PROT_READ), "mprotect");

        CacheLines.Update(page + 3, 0x1122334455667788ul);
        CacheLines.Update(page + 7, 0x11223344u);
        CacheLines.Update(page + 11, (ushort)0x99aa);

        Assert.Equal([0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xaa, 0x99, 0], new ReadOnlySpan<byte>(page + 2, 12).ToArray());
        Libc.Check(Libc.munmap(page, PageBytes), "munmap");
    }
}
