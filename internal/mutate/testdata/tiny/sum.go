// Package tiny is mutated by the tests of mutate.
package tiny

// Sum adds up what is above zero, and reports how many that were.
func Sum(numbers []int) (sum, count int) {
	for _, n := range numbers {
		if n <= 0 {
			continue
		}
		sum += n
		count++
	}
	return sum, count
}

// Most returns the largest number.
func Most(numbers []int) int {
	most := numbers[0]
	for _, n := range numbers[1:] {
		most = max(most, n)
	}
	return most
}
