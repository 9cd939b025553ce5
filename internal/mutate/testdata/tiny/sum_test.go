package tiny

import "testing"

func TestSum(t *testing.T) {
	if sum, _ := Sum([]int{1, -2, 3}); sum != 4 {
		t.Fatalf("sum %d", sum)
	}
}

func TestMost(t *testing.T) {
	if most := Most([]int{1, 3, 2}); most != 3 {
		t.Fatalf("most %d", most)
	}
}
